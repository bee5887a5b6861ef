/** curl asks a web server that is written by hand over `serve` and the reader. */
import { chunked, headOf, pages, readBody, readHead, respond, webServer, type Page } from './_http.js'
import { curl, lacksProgram } from './_servers.js'
import { serving, until } from './_serve.js'
import { freshPath, lacks, unless } from './_util.js'

const lacksCurl = lacksProgram('curl')
const withCurl = unless(lacksCurl)

for (const family of ['inet', 'inet6', 'unix'] as const) {
  unless(lacksCurl || (family === 'unix' && lacks.unix))(`curl gets a page over ${family}`, async t => {
    const where = { inet: { host: '127.0.0.1' }, inet6: { host: '::1' }, unix: { path: family === 'unix' ? freshPath(t) : '' } }[family]
    const { address } = await serving(t, where, webServer(pages))
    const url = family === 'unix' ? ['--unix-socket', address.path!, 'http://here/'] : [`http://${address}/`]
    t.deepEqual(await curl(url), { code: 0, stdout: Buffer.from('hello\n'), stderr: '' })
  })
}

withCurl('one connection serves all that curl asks for in a row', async t => {
  const connections = new Set<unknown>()
  const server = await serving(t, {}, async (socket, context) => {
    connections.add(socket)
    await webServer(pages)(socket, context)
  })
  const { code, stdout } = await curl([`http://${server.address}/`, `http://${server.address}/chunks`, `http://${server.address}/nowhere`, `http://${server.address}/`])
  t.deepEqual([code, String(stdout), connections.size], [0, `hello\n${chunked}hello\n`, 1])
  await until(() => server.connections === 0)
})

withCurl('a head comes without its body', async t => {
  const { address } = await serving(t, {}, webServer(pages))
  const { stdout } = await curl(['--head', `http://${address}/`])
  t.is(String(stdout), 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n')
})

withCurl('20 MB go up after a word that they may, and come back as they were', async t => {
  const { address } = await serving(t, {}, webServer(pages))
  const body = Buffer.alloc(20_000_000, 'abcdefghij\n\0')
  const { code, stdout } = await curl(['--data-binary', '@-', '--header', 'Expect: 100-continue', `http://${address}/echo`], body)
  t.is(code, 0)
  t.true(stdout.equals(body))
})

withCurl('a body that goes up in chunks is read as one', async t => {
  const { address } = await serving(t, {}, webServer({ 'PUT /upload': pages['POST /echo']! }))
  const body = Buffer.alloc(3_000_000, 'abcdefghij\r\n')
  const { code, stdout } = await curl(['--upload-file', '-', '--header', 'Transfer-Encoding: chunked', `http://${address}/upload`], body)
  t.is(code, 0)
  t.true(stdout.equals(body))
})

withCurl('an upload that is refused before its body is told so, though the body is never read', async t => {
  const { address } = await serving(t, {}, async socket => {
    const reader = socket.reader()
    await readHead(reader)
    await respond(socket, '413 Content Too Large', 'no\n', { Connection: 'close' })
    socket.shutdown('write')
    // curl leaves once it has heard that.
    for (;;) if ((await reader.some()).length === 0) return
  })
  const { code, stdout } = await curl(['--data-binary', '@-', '--write-out', '%{http_code}', `http://${address}/`], Buffer.alloc(50_000_000))
  t.deepEqual([code, String(stdout)], [0, 'no\n413'])
})

withCurl('an answer that comes byte by byte is one', async t => {
  const { address } = await serving(t, {}, webServer({
    'GET /slow': async (_request, socket) => {
      for (const byte of Buffer.from(`${headOf('HTTP/1.1 200 OK', { 'Content-Length': 6 })}slowly`)) await socket.send(Buffer.of(byte))
    }
  }))
  t.is(String((await curl([`http://${address}/slow`])).stdout), 'slowly')
})

withCurl('curl tells an answer that ends early from a connection that is reset', async t => {
  const { address } = await serving(t, {}, webServer(pages))
  const [half, reset] = await Promise.all(['half', 'reset'].map(page => curl([`http://${address}/${page}`])))
  t.deepEqual([half?.code, reset?.code], [PARTIAL_FILE, RECV_ERROR])
})

withCurl('an answer without a length ends with the connection', async t => {
  const { address } = await serving(t, {}, webServer({
    'GET /': async (_request, socket) => {
      await socket.send(`${headOf('HTTP/1.0 200 OK')}up to the end`)
      socket.close()
    }
  }))
  t.deepEqual(await curl([`http://${address}/`]), { code: 0, stdout: Buffer.from('up to the end'), stderr: '' })
})

withCurl('200 requests, 50 at a time, each get their own answer', async t => {
  const number = (i: number): Page => async (_request, socket) => await respond(socket, '200 OK', `${i}\n`)
  const server = await serving(t, {}, webServer(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`GET /${i + 1}`, number(i + 1)]))))
  const { code, stdout } = await curl(['--parallel', '--parallel-max', '50', `http://${server.address}/[1-200]`])
  t.is(code, 0)
  t.deepEqual(String(stdout).trim().split('\n').map(Number).toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1))
  await until(() => server.connections === 0)
})

withCurl('a client that breaks off in the middle of an answer is ECONNRESET or EPIPE to who sends it', async t => {
  const errors: unknown[] = []
  const server = await serving(t, { onError: error => errors.push(error) }, webServer({
    'GET /': async (_request, socket) => {
      await socket.send(headOf('HTTP/1.1 200 OK', { 'Content-Length': 100_000_000 }))
      for (let i = 0; i < 100; i++) await socket.send(Buffer.alloc(1_000_000))
    }
  }))
  t.is((await curl(['--max-filesize', '1000', `http://${server.address}/`])).code, FILESIZE_EXCEEDED)
  await until(() => server.connections === 0)
  t.regex((errors[0] as { code: string }).code, /^(ECONNRESET|EPIPE)$/)
})

withCurl('a request that says Connection: close is the last one', async t => {
  const { address } = await serving(t, {}, webServer({
    'POST /': async (request, socket, reader) => await respond(socket, '200 OK', String((await readBody(reader, request)).length))
  }))
  const { stdout } = await curl(['--header', 'Connection: close', '--data-binary', '@-', `http://${address}/`], 'twelve bytes')
  t.is(String(stdout), '12')
})

/** What curl ends with. */
const PARTIAL_FILE = 18
const RECV_ERROR = 56
const FILESIZE_EXCEEDED = 63

