/** examples/forward.ts and examples/proxy.ts: connections that go on elsewhere. */
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { tcp, type Address, type TcpSocket } from 'socket2'
import { addressIn, talk } from './_examples.js'
import { addressOf, closing, freshPath, lacks, lacksResets, listener, MUCH, unless } from './_util.js'

/** How each of the two leads to one place: what is started, and where it says that it is. */
const ways = { forward: (to: string) => ['0', to, '-v'], proxy: (to: string) => [to, '-v'] }

for (const [name, args] of Object.entries(ways)) {
  test(`${name} passes on the end of one direction while the other goes on`, async t => {
    const { client, peer } = await through(t, name, args)
    await client.send('question')
    client.shutdown('write')
    t.is(String(await peer.recvAll()), 'question')
    await peer.send('answer')
    peer.close()
    t.is(String(await client.recvAll()), 'answer')
  })

  test(`${name} passes on the end of the other direction, too, and what comes after it`, async t => {
    const { client, peer } = await through(t, name, args)
    await peer.send('greeting')
    peer.shutdown('write')
    t.is(String(await client.recvAll()), 'greeting')
    await client.send('late')
    client.close()
    t.is(String(await peer.recvAll()), 'late')
  })

  unless(lacksResets)(`${name} passes on that a connection broke`, async t => {
    const { client, peer } = await through(t, name, args)
    await client.send('x')
    await peer.recvExact(1)
    client.reset()
    await t.throwsAsync(peer.recvAll(), { code: 'ECONNRESET' })

    const other = await through(t, name, args)
    await other.peer.send('half of')
    await other.client.recvExact(7)
    other.peer.reset()
    await t.throwsAsync(other.client.recvAll(), { code: 'ECONNRESET' })
  })

  test(`${name} copies all, and in order, and holds up who sends while the other side does not read`, async t => {
    const { client, peer } = await through(t, name, args)
    const chunk = Buffer.from(Array.from({ length: 65521 }, (_, i) => i * 7 + (i >> 8)))
    let taken = 0
    for (let quiet = 0; quiet < 3;) {
      const count = client.trySend(chunk.subarray(taken % chunk.length))
      taken += count
      quiet = count === 0 ? quiet + 1 : 0
      if (count === 0) await new Promise(resolve => setTimeout(resolve, 50))
      if (taken > MUCH) break
    }
    t.true(taken < MUCH, `${taken} bytes were taken of a reader that does not read`)
    client.shutdown('write')
    let read = 0
    for await (const part of peer) {
      for (let at = 0; at < part.length;) {
        const place = read % chunk.length
        const length = Math.min(part.length - at, chunk.length - place)
        if (!part.subarray(at, at + length).equals(chunk.subarray(place, place + length))) return t.fail(`wrong bytes about ${read}`)
        at += length
        read += length
      }
    }
    t.is(read, taken)
  })
}

unless(lacksResets)('forward resets who comes while nobody is there to go on to, says so, and goes on', async t => {
  const server = await absent(t)
  const { at, process } = await start(t, 'forward', ['0', String(addressOf(server))], false)
  await t.throwsAsync(asked(at), { code: 'ECONNRESET' })
  while (process.complaints() === '') await once(process.child.stderr, 'data')
  t.regex(process.complaints(), /^#1 came to nothing: connect ECONNREFUSED 127\.0\.0\.1:\d+ \(nobody listens there: .*\)\n$/)

  await server.listen()
  const accepting = server.accept()
  const next = await closing(t, tcp()).connect(at)
  await next.send('hello')
  t.is(String(await closing(t, await accepting).recvExact(5)), 'hello')
})

unless(lacks.unix)('forward leads from a unix path to a port, and from a port to a unix path', async t => {
  const server = await listener(t)
  const path = `unix:${freshPath(t)}`
  const there = await start(t, 'forward', [path, String(addressOf(server))])
  const back = await start(t, 'forward', ['0', path])
  t.is(String(there.at), path)
  const accepting = server.accept()
  const client = await closing(t, tcp()).connect(back.at)
  const peer = closing(t, await accepting)
  await client.send('by way of a path')
  client.shutdown('write')
  t.is(String(await peer.recvAll()), 'by way of a path')
})

test('forward tells of each connection when it is asked to', async t => {
  const { client, peer, process } = await through(t, 'forward', ways.forward)
  await client.send('12345')
  client.shutdown('write')
  await peer.recvAll()
  await peer.send('123')
  peer.close()
  await client.recvAll()
  t.is(await process.line(), `#1 from ${client.localAddress}`)
  t.regex(String(await process.line()), /^#1 ended after [\d.]+ m?s, 6 bytes there, 3 bytes back$/)
})

test('the proxy gives each backend its turn, takes in one that comes, and leaves out one that goes', async t => {
  const backends = [await named(t, 'a'), await absent(t), await named(t, 'c')] as const
  const places = backends.map(backend => String(addressOf(backend)))
  const { at, greeting, process } = await start(t, 'proxy', ['--check', '0.05', ...places])
  const turns = async (count: number): Promise<string> => {
    let answers = ''
    for (let i = 0; i < count; i++) answers += await asked(at)
    return answers
  }
  t.regex(greeting, /, 2 of 3 backends are up$/)
  t.regex(await turns(4), /^(?:acac|caca)$/)
  await named(t, 'b', backends[1])
  await process.lineLike(new RegExp(`^${places[1]} is up again$`))
  t.regex(await turns(6), /^(?:abcabc|bcabca|cabcab)$/)
  backends[2].close()
  await process.lineLike(new RegExp(`^${places[2]} is down: connect ECONNREFUSED `))
  t.regex(await turns(4), /^(?:abab|baba)$/)
})

test('the proxy finds out that a backend is down by who comes, and tries the next one for them', async t => {
  const [one, other, last] = [await named(t, 'a'), await named(t, 'b'), await absent(t)]
  const [place, ...places] = [one, other, last].map(backend => String(addressOf(backend)))
  const { at, process } = await start(t, 'proxy', ['--check', '60', place!, ...places])
  one.close()
  t.is(await asked(at) + await asked(at), 'bb')
  await process.lineLike(new RegExp(`^${place} is down: `))
  // With none left that is up it tries those that were down: they may be there again.
  other.close()
  await named(t, 'c', last)
  t.is(await asked(at), 'c')
})

unless(lacksResets)('the proxy resets who comes while no backend is there, and is there for the next one', async t => {
  const backend = await absent(t)
  const { at, greeting } = await start(t, 'proxy', ['--check', '60', String(addressOf(backend))])
  t.regex(greeting, /, 0 of 1 backends are up$/)
  await t.throwsAsync(asked(at), { code: 'ECONNRESET' })
  await named(t, 'a', backend)
  t.is(await asked(at), 'a')
})

test('the proxy closes a connection that is silent for too long, at both ends', async t => {
  const { client, peer } = await through(t, 'proxy', to => [to, '--idle', '1'])
  // With something on its way it is a reset.
  await Promise.allSettled([client.recvAll(), peer.recvAll()])
  t.pass('both have ended')
})

unless(lacks.posix)('the proxy tells its statistics when it is asked, and in the end, which waits for who is there', async t => {
  const { client, peer, process } = await through(t, 'proxy', to => [to, '--grace', '60'])
  await client.send('12345')
  await peer.recvExact(5)
  process.signal('SIGUSR2')
  const told = [await process.lineLike(/^backend /), await process.line()]
  t.deepEqual(told.map(line => line?.split(/ {2,}/)), [
    ['backend', 'state', 'open', 'served', 'failed', 'sent to it', 'received'],
    [String(peer.localAddress), 'up', '1', '1', '0', '6 bytes', '0 bytes']
  ])
  process.signal('SIGTERM')
  await process.lineLike(/^closing; connections that are there have 60 s to end: 1$/)
  await peer.send('123')
  peer.close()
  t.is(String(await client.recvExact(3)), '123')
  client.close()
  t.regex(await process.rest(), / up +0 +1 +0 +6 bytes +3 bytes$/)
})

/** A server that is not there yet: its port is its own, and refuses connections until it listens. */
async function absent(t: ExecutionContext): Promise<TcpSocket> {
  return await closing(t, tcp()).bind('127.0.0.1')
}

/** A backend that says its name to each who comes, and closes. */
async function named(t: ExecutionContext, name: string, place?: TcpSocket): Promise<TcpSocket> {
  const server = await (place ?? await absent(t)).listen()
  void (async () => {
    // A health check is gone before it has heard the name.
    for await (const socket of server.connections()) void socket.send(name).then(() => socket.close(), () => socket.close())
  })()
  return server
}

/** What the backend says whose turn it is. */
async function asked(at: Address): Promise<string> {
  using client = await tcp().connect(at)
  return String(await client.recvAll())
}

async function start(t: ExecutionContext, name: string, args: string[], aloud = true) {
  const process = talk(t, name, args, { aloud })
  const greeting = await process.lineLike(/^listening on | leads to /)
  return { process, greeting, at: addressIn(greeting) }
}

/** Both ends of a connection through an example. */
async function through(t: ExecutionContext, name: string, args: (to: string) => string[]) {
  const server = await listener(t)
  const connections = server.connections()
  const { at, process } = await start(t, name, args(String(addressOf(server))), false)
  const client = await closing(t, tcp()).connect(at)
  await client.send('!')
  // The proxy has looked before whether somebody is there.
  for (;;) {
    const peer = closing(t, (await connections.next()).value as TcpSocket)
    if ((await peer.recv(1)).length > 0) return { client, peer, process }
  }
}
