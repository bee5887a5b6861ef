/** nginx: asked by hand, and in front of our own servers, as a web server and as a proxy of streams. */
import type { ExecutionContext } from 'ava'
import { Address, proxyHeader, tcp, type Family, type Reader, type TcpSocket } from 'socket2'
import { chunked, headOf, readHead, readMessage, sendChunks, type HttpMessage } from './_http.js'
import { BIG, site } from './_nginx.js'
import { gone, until } from './_serve.js'
import { closing, unless } from './_util.js'

const { nginx, ended } = site()
const withNginx = unless(nginx.reason)

// Asked by hand

for (const family of ['inet', 'unix'] as const) {
  withNginx(`a page comes over ${family}, and another over the same connection`, async t => {
    const { ask } = await visit(t, family)
    for (let i = 0; i < 2; i++) {
      const { first, body } = await ask('GET', '/')
      t.deepEqual([first, String(body)], ['HTTP/1.1 200 OK', 'hello\n'])
    }
  })
}

withNginx('1,000 requests in one send are answered in their order', async t => {
  const { socket, reader } = await visit(t, 'inet')
  const paths = Array.from({ length: 1000 }, (_, i) => i % 3 === 2 ? `/nowhere` : '/')
  const sending = socket.send(paths.map(path => headOf(`GET ${path} HTTP/1.1`, { Host: 'here' })).join(''))
  for (const path of paths) {
    const { first, body } = await readMessage(reader) as HttpMessage
    if (path === '/') t.is(String(body), 'hello\n')
    else t.is(first, 'HTTP/1.1 404 Not Found')
  }
  await sending
})

withNginx('a file of 10 MB comes whole to who reads it bit by bit, and a part of it to who asks for that', async t => {
  const { socket, reader, ask } = await visit(t, 'inet')
  await socket.send(headOf('GET /big.txt HTTP/1.1', { Host: 'here' }))
  t.is((await readHead(reader))?.fields.get('content-length'), `${BIG.length}`)
  for (let at = 0; at < BIG.length;) {
    const part = await reader.some(100_000)
    if (!part.equals(BIG.subarray(at, at + part.length))) t.fail(`it differs somewhere from ${at} on`)
    at += part.length
  }
  t.is(reader.buffered, 0)
  t.deepEqual((await ask('GET', '/big.txt', { Range: 'bytes=14-16' })).body, Buffer.from('e\n0'))
})

withNginx('nginx ends a connection after as many requests as it allows, and one that asks for that', async t => {
  const [one, other] = [await visit(t, 'inet'), await visit(t, 'inet')]
  for (let i = 0; i < 3; i++) t.is((await one.ask('GET', '/thrice')).fields.get('connection'), i < 2 ? 'keep-alive' : 'close')
  await other.ask('GET', '/', { Connection: 'close' })
  t.deepEqual([await one.reader.line(), await other.reader.line()], [null, null])
})

withNginx('what is no request is answered by 400 and the end', async t => {
  const { socket, reader } = await visit(t, 'inet')
  await socket.send('nonsense\r\n\r\n')
  t.is((await readMessage(reader))?.first, 'HTTP/1.1 400 Bad Request')
  t.is(await reader.line(), null)
})

// In front of our web servers

withNginx('nginx fetches pages from our server, over TCP and at a unix path', async t => {
  const { ask } = await visit(t, 'inet')
  t.is(String((await ask('GET', '/web/')).body), 'hello\n')
  t.is(String((await ask('GET', '/web/told')).body), 'by HTTP/1.1')
  t.is(String((await ask('GET', '/unix/')).body), 'hello\n')
  t.true((await ask('GET', '/web/chunks')).body.equals(chunked))
})

withNginx('10 MB go through nginx to our server, and come back', async t => {
  const { socket, reader } = await visit(t, 'inet')
  const sending = socket.send([Buffer.from(headOf('POST /web/echo HTTP/1.1', { Host: 'here', 'Content-Length': BIG.length })), BIG])
  const answer = await readMessage(reader)
  t.true(answer?.body.equals(BIG))
  await sending
})

withNginx('a body in chunks goes through nginx', async t => {
  const { socket, reader } = await visit(t, 'unix')
  await socket.send(headOf('POST /web/echo HTTP/1.1', { Host: 'here', 'Transfer-Encoding': 'chunked' }))
  await sendChunks(socket, Array.from({ length: 100 }, (_, i) => Buffer.alloc(1000 + i, 'x')))
  t.is((await readMessage(reader))?.body.length, 104_950)
})

withNginx('an answer that our server breaks off ends early for the client, too', async t => {
  for (const page of ['half', 'reset']) {
    const { socket, reader } = await visit(t, 'inet')
    await socket.send(headOf(`GET /web/${page} HTTP/1.1`, { Host: 'here' }))
    t.is((await readHead(reader))?.fields.get('content-length'), '10')
    await t.throwsAsync(reader.exact(10), { code: 'ERR_UNEXPECTED_EOF' })
  }
})

withNginx('when our server says nothing and leaves, nginx says so', async t => {
  const { ask } = await visit(t, 'inet')
  t.is((await ask('GET', '/web/leave')).first, 'HTTP/1.1 502 Bad Gateway')
})

// In front of our echo server

withNginx('10 MB go through a proxy of streams and back, and then either end in turn', async t => {
  const socket = await closing(t, tcp()).connect('127.0.0.1', nginx.ports[1]!)
  const sending = socket.send(BIG).then(() => socket.shutdown('write'))
  t.true((await socket.recvAll()).equals(BIG))
  await sending
})

withNginx('100 streams at once go through the proxy, each to its own peer', async t => {
  const echoes = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const socket = await closing(t, tcp()).connect('127.0.0.1', nginx.ports[1]!)
    await socket.send(`number ${i}`)
    return String(await socket.recvExact(`number ${i}`.length))
  }))
  t.deepEqual(echoes, Array.from({ length: 100 }, (_, i) => `number ${i}`))
})

withNginx('a client that resets its stream ends it for our server as well', async t => {
  const socket = await closing(t, tcp()).connect('127.0.0.1', nginx.ports[1]!)
  await socket.send('resets')
  await socket.recvExact(6)
  socket.reset()
  await until(() => ended.has('resets'))
  t.pass()
})

// The PROXY protocol

withNginx('our server behind a proxy of streams knows who connects to that, and to where', async t => {
  const all = await Promise.all(Array.from({ length: 50 }, async () => {
    const socket = await closing(t, tcp()).connect('127.0.0.1', nginx.ports[2]!)
    const { localAddress, remoteAddress } = socket
    const [client, place, by, proxy] = String(await socket.recvAll()).split(' ')
    t.deepEqual([client, place, by], [`${localAddress}`, `${remoteAddress}`, 'by'])
    return proxy
  }))
  t.is(new Set(all).size, all.length, 'each by a connection of its own')
})

for (const [version, source, destination] of [
  [1, '192.0.2.7:1234', '198.51.100.1:80'], [2, '192.0.2.7:1234', '198.51.100.1:80'], [1, '[2001:db8::7]:1', '[2001:db8::1]:65535'], [2, '[2001:db8::7]:1', '[2001:db8::1]:65535']
] as const) {
  withNginx(`nginx learns by a header of version ${version} that ${source} connects to ${destination}`, async t => {
    const socket = await closing(t, tcp('unix')).connect(`unix:${nginx.home}/proxied.sock`, 0)
    await socket.send(proxyHeader({ version, source: Address.parse(source), destination: Address.parse(destination) }))
    await socket.send(headOf('GET / HTTP/1.1', { Host: 'here' }))
    t.is(String((await readMessage(socket.reader()))?.body), `${source} ${destination}`.replaceAll(/[[\]]/g, ''))
  })
}

withNginx('nginx takes nobody without a header where it expects one', async t => {
  const socket = await closing(t, tcp('unix')).connect(`unix:${nginx.home}/proxied.sock`, 0)
  await socket.send(headOf('GET / HTTP/1.1', { Host: 'here' }))
  t.is(await gone(socket), '')
})

interface Visit {
  socket: TcpSocket
  reader: Reader
  ask(method: string, path: string, fields?: Record<string, string>): Promise<HttpMessage>
}

/** A connection to nginx. */
async function visit(t: ExecutionContext, family: Family): Promise<Visit> {
  const socket = closing(t, tcp(family))
  await (family === 'unix' ? socket.connect(`unix:${nginx.home}/http.sock`, 0) : socket.connect('127.0.0.1', nginx.port))
  const reader = socket.reader()
  return {
    socket,
    reader,
    async ask(method, path, fields = {}) {
      await socket.send(headOf(`${method} ${path} HTTP/1.1`, { Host: 'here', ...fields }))
      const answer = await readMessage(reader)
      if (answer === null) throw new Error('there is no answer')
      return answer
    }
  }
}

