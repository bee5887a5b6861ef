// How a server of socket2/http closes, whatever its connections are doing.
import { once } from 'node:events'
import { get, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { tcp, type TcpSocket } from 'socket2'
import { agent, serveHttp, type HttpServer, type ServeHttpOptions } from 'socket2/http'
import { connectTls } from 'socket2/tls'
import { ca, identity } from './_certificates.js'
import { gone, until } from './_serve.js'
import { closing, listener } from './_util.js'

async function server(t: ExecutionContext, answer: RequestListener, options: ServeHttpOptions = {}): Promise<HttpServer> {
  const made = await serveHttp({ host: '127.0.0.1', ...options }, answer)
  t.teardown(() => made.close({ grace: 0 }))
  return made
}

/** A connection to it that says something. */
async function saying(t: ExecutionContext, { address }: HttpServer, text: string): Promise<TcpSocket> {
  const client = await closing(t, tcp()).connect(address)
  await client.send(text)
  return client
}

/** A server whose answers wait until a test gives them. */
async function slow(t: ExecutionContext, options: ServeHttpOptions = {}): Promise<{ made: HttpServer; asked: [IncomingMessage, ServerResponse][] }> {
  const asked: [IncomingMessage, ServerResponse][] = []
  return { made: await server(t, (request, response) => void asked.push([request, response]), options), asked }
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

test('answers that were asked for one behind the other are all given before their connection ends', async t => {
  const { made, asked } = await slow(t)
  const client = await saying(t, made, GET + GET + GET)
  await until(() => asked.length === 3)
  const closed = made.close()
  for (const [i, [, response]] of [...asked.entries()].toReversed()) response.end(`answer ${i}`)
  const all = String(await client.recvAll())
  t.deepEqual(all.match(/answer \d/g), ['answer 0', 'answer 1', 'answer 2'])
  t.deepEqual(all.match(/Connection: [\w-]+/g), ['Connection: keep-alive', 'Connection: keep-alive', 'Connection: close'])
  await closed
})

test('an answer whose head has gone already is given whole, and then its connection ends', async t => {
  const { made, asked } = await slow(t)
  const client = await saying(t, made, GET)
  await until(() => asked.length === 1)
  const [, response] = asked[0]!
  response.write('first ')
  await client.reader().until('first ')
  const closed = made.close()
  response.end('last')
  t.regex(String(await client.recvAll()), /last/)
  await closed
})

test('an answer that is given before its request has come whole ends the connection', async t => {
  const { made, asked } = await slow(t)
  const client = await saying(t, made, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  await until(() => asked.length === 1)
  const [, response] = asked[0]!
  response.write('enough')
  await client.reader().until('enough')
  const closed = made.close()
  response.end()
  await gone(client)
  await closed
  t.is(made.connections, 0)
})

test('a request that comes while the server closes is answered as the last one', async t => {
  const { made, asked } = await slow(t)
  const client = await saying(t, made, 'GET / HTTP/1.1\r\n')
  await until(() => made.connections === 1)
  const closed = made.close()
  await client.send('Host: x\r\n\r\n')
  await until(() => asked.length === 1)
  asked[0]![1].end('late')
  t.regex(String(await client.recvAll()), /Connection: close\r\n[^]*late$/)
  await closed
})

for (const tls of [undefined, identity('server')]) {
  const over = tls === undefined ? 'plain' : 'over TLS'
  test(`a connection that has not said a word holds up nobody for long: ${over}`, async t => {
    const made = await server(t, (_, response) => void response.end(), { tls })
    const client = tls === undefined
      ? await closing(t, tcp()).connect(made.address)
      : closing(t, await connectTls(made.address.port, 'localhost', { family: 'inet', ca }))
    await until(() => made.connections === 1)
    await made.close()
    t.is((await client.recv()).length, 0)
  })

  test(`the first request of a connection that is there already is answered: ${over}`, async t => {
    const made = await server(t, (_, response) => void response.end('in time'), { tls })
    const client = tls === undefined
      ? await closing(t, tcp()).connect(made.address)
      : closing(t, await connectTls(made.address.port, 'localhost', { family: 'inet', ca }))
    await until(() => made.connections === 1)
    const closed = made.close()
    await client.send(GET)
    t.regex(String(await client.recvAll()), /Connection: close\r\n[^]*in time$/)
    await closed
  })
}

test('what a listener of checkContinue answers comes to its end, and its connection with it', async t => {
  const made = await server(t, () => {})
  const asking = once(made.http, 'checkContinue') as Promise<[IncomingMessage, ServerResponse]>
  const client = await saying(t, made, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
  const [request, response] = await asking
  t.is(made.http.listenerCount('checkContinue'), 0)
  response.writeContinue()
  const reader = client.reader()
  t.regex(String(await reader.until('\r\n\r\n')), /^HTTP\/1.1 100 /)
  await client.send('body')
  await once(request.resume(), 'end')
  const closed = made.close()
  response.end('done')
  t.regex(String(await reader.all()), /Connection: close\r\n[^]*done$/)
  await closed
})

test('without a listener for it a client that waits for 100 is told to go on', async t => {
  const made = await server(t, (request, response) => void request.resume().once('end', () => response.end('done')))
  const client = await saying(t, made, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
  const reader = client.reader()
  t.regex(String(await reader.until('\r\n\r\n')), /^HTTP\/1.1 100 /)
  await client.send('body')
  const closed = made.close()
  t.regex(String(await reader.all()), /done$/)
  await closed
})

test('a connection that was upgraded goes on until its time is over', async t => {
  const made = await server(t, () => {})
  made.http.on('upgrade', (_, stream) => {
    stream.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
    stream.pipe(stream)
  })
  const client = await saying(t, made, 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
  const reader = client.reader()
  await reader.until('\r\n\r\n')
  const closed = made.close()
  await client.send('still there')
  t.is(String(await reader.exact(11)), 'still there')
  t.is(made.connections, 1)
  await made.close({ grace: 10 })
  await closed
  t.is(String(await reader.all()), '')
})

for (const way of ['close', 'signal', 'listener'] as const) {
  test(`the server of node:http is closed with it, in whatever way: by ${way}`, async t => {
    const controller = new AbortController()
    const from = await listener(t)
    const made = await server(t, () => {}, { listener: from, signal: controller.signal, host: undefined })
    t.is(made.listener, from)
    const closed = once(made.http, 'close')
    if (way === 'close') await made.close()
    else if (way === 'signal') controller.abort()
    else from.close()
    await closed
    await made.close()
    t.is(made.connections, 0)
  })
}

test('closing twice, in the middle of everything, resolves both times', async t => {
  const { made, asked } = await slow(t)
  const ours = agent({ keepAlive: true })
  t.teardown(() => ours.destroy())
  const failing = new Promise<NodeJS.ErrnoException>(resolve => get({ port: made.address.port, host: '127.0.0.1', agent: ours }).once('error', resolve))
  const half = await saying(t, made, 'GET / HTTP/1.1\r\nHos')
  const silent = await closing(t, tcp()).connect(made.address)
  await until(() => asked.length === 1 && made.connections === 3)
  const closed = made.close()
  await Promise.all([closed, made.close({ grace: 20 }), made.close({ grace: 10_000 })])
  t.is((await failing).code, 'ECONNRESET')
  t.is(await gone(half), '')
  t.is(await gone(silent), '')
})
