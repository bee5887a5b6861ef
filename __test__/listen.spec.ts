// Listening and accepting, on every family.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Address, tcp, type Family, type TcpSocket } from 'socket2'
import { closing, connectedPair, lacks, listener, loopback, unless } from './_util.js'

const families: Family[] = ['inet', 'inet6', 'unix']
const badState = { code: 'ERR_SOCKET_BAD_STATE' }

for (const family of families) {
  const here = unless(family === 'unix' && lacks.unix)

  here(`${family}: listen takes a host and a port, an address, or an object, and binds unless bound`, async t => {
    const [host, port] = loopback(t, family)
    const first = closing(t, tcp(family))
    t.is(await first.listen(host, port, 5), first)
    t.not(first.localAddress!.port, family === 'unix' ? 1 : 0)
    const address = first.localAddress!
    first.close()

    const second = await closing(t, tcp(family)).listen(address)
    t.true(second.localAddress!.equals(address))
    second.close()

    const third = await closing(t, tcp(family)).listen({ host, port: address.port, backlog: 1 })
    t.true(third.localAddress!.equals(address))
    third.close()

    const fourth = await closing(t, tcp(family)).bind(address)
    await fourth.listen()
    t.true(fourth.localAddress!.equals(address))
    await t.notThrowsAsync(closing(t, tcp(family)).connect(address))
  })

  here(`${family}: a bind that fails makes listen reject, and the other listener lives`, async t => {
    const server = await listener(t, family)
    const address = server.localAddress!
    const error = await t.throwsAsync(closing(t, tcp(family)).listen(address), { code: 'EADDRINUSE' })
    t.like(error, { syscall: 'bind', address: address.address, message: `bind EADDRINUSE ${address}` })
    const socket = closing(t, tcp(family))
    await t.throwsAsync(socket.bind(address), { code: 'EADDRINUSE' })
    // It is as it was: another address will do.
    await t.notThrowsAsync(socket.listen(...loopback(t, family)))
    await t.notThrowsAsync(closing(t, tcp(family)).connect(address))
  })

  here(`${family}: a listener cannot listen again, and one that is bound cannot be bound again`, async t => {
    const server = await listener(t, family)
    await t.throwsAsync(server.listen(), badState)
    await t.throwsAsync(server.bind(...loopback(t, family)), { code: 'EINVAL' })
    await t.throwsAsync(server.recv(), badState)
    await t.throwsAsync(server.send('x'), badState)
  })

  here(`${family}: connections are accepted in the order they were made, by those who wait in their order`, async t => {
    const server = await listener(t, family)
    const accepting = Array.from({ length: 20 }, () => server.accept())
    for (let i = 0; i < 40; i++) await (await closing(t, tcp(family)).connect(server.localAddress!)).send(Buffer.of(i))
    for (let i = 20; i < 40; i++) accepting.push(server.accept())
    const peers = (await Promise.all(accepting)).map(peer => closing(t, peer))
    const greetings = await Promise.all(peers.map(async peer => (await peer.recvExact(1))[0]))
    t.deepEqual(greetings, Array.from({ length: 40 }, (_, i) => i))
  })

  here(`${family}: an accepted socket is like the one that listened, and no listener`, async t => {
    const { server, peer } = await connectedPair(t, family)
    t.deepEqual([peer.type, peer.family, peer.protocol], [server.type, server.family, server.protocol])
    t.is(peer.constructor, server.constructor)
    t.not(peer.fd, server.fd)
    t.is(peer.timeout, Infinity)
    await t.throwsAsync(peer.accept(), badState)
    await t.throwsAsync(peer.listen(), badState)
  })

  here(`${family}: iterating over the connections ends when the listener is closed`, async t => {
    const server = await listener(t, family)
    const clients = (async () => {
      for (let i = 0; i < 3; i++) await (await closing(t, tcp(family)).connect(server.localAddress!)).send(`${i}`)
    })()
    const greetings: string[] = []
    for await (const peer of server.connections()) {
      greetings.push(String(await closing(t, peer).recv()))
      if (greetings.length === 3) server.close()
    }
    await clients
    t.deepEqual(greetings, ['0', '1', '2'])
    for await (const _ of server.connections()) t.fail()
  })

  here(`${family}: a loop over the connections that waits ends when the listener is closed`, async t => {
    const server = await listener(t, family)
    const serving = (async () => {
      for await (const peer of server.connections()) peer.close()
    })()
    await turn()
    server.close()
    await t.notThrowsAsync(serving)
  })

  here(`${family}: leaving the loop over the connections closes nothing, and loses no connection`, async t => {
    const server = await listener(t, family)
    for (let i = 0; i < 2; i++) await (await closing(t, tcp(family)).connect(server.localAddress!)).send(`${i}`)
    const greetings: string[] = []
    for (let i = 0; i < 2; i++) {
      for await (const peer of server.connections()) {
        greetings.push(String(await closing(t, peer).recv()))
        break
      }
    }
    t.deepEqual(greetings, ['0', '1'])
    t.false(server.closed)
  })

  here(`${family}: connections that are gone again before they are accepted do not end the loop`, async t => {
    const server = await listener(t, family)
    for (let i = 0; i < 10; i++) (await tcp(family).connect(server.localAddress!)).reset()
    await (await closing(t, tcp(family)).connect(server.localAddress!)).send('here')
    let heard = ''
    for await (const peer of server.connections()) {
      // Some systems give them out all the same.
      heard = await closing(t, peer).recv().then(String, () => '')
      if (heard === 'here') break
    }
    t.is(heard, 'here')
    t.false(server.closed)
  })

  here(`${family}: two loops over the connections share them`, async t => {
    const server = await listener(t, family)
    const got: TcpSocket[] = []
    const serve = async (): Promise<void> => {
      for await (const peer of server.connections()) {
        got.push(closing(t, peer))
        if (got.length === 10) server.close()
      }
    }
    const serving = Promise.all([serve(), serve()])
    await Promise.all(Array.from({ length: 10 }, () => closing(t, tcp(family)).connect(server.localAddress!)))
    await serving
    t.is(new Set(got.map(peer => peer.fd)).size, 10)
  })
}

test('iterating over connections heeds its signal and its deadline', async t => {
  const server = await listener(t)
  const reason = new Error('closing time')
  const iterate = async (op: object): Promise<void> => {
    for await (const _ of server.connections(op)) t.fail()
  }
  const controller = new AbortController()
  const serving = iterate({ signal: controller.signal })
  await turn()
  controller.abort(reason)
  t.is(await t.throwsAsync(serving), reason)
  await t.throwsAsync(iterate({ timeout: 5 }), { code: 'ETIMEDOUT' })
  t.false(server.closed)
})

test('iterating over the connections of what does not listen is refused', async t => {
  const iterate = async (): Promise<void> => {
    for await (const _ of closing(t, tcp()).connections()) t.fail()
  }
  await t.throwsAsync(iterate(), badState)
})

test('without arguments a listener is on all interfaces and a free port', async t => {
  const server = await closing(t, tcp()).listen()
  t.is(server.localAddress!.address, '0.0.0.0')
  t.not(server.localAddress!.port, 0)
  t.is((await closing(t, tcp('inet6')).listen()).localAddress!.address, '::')
  t.is((await closing(t, tcp()).listen(false)).localAddress!.address, '127.0.0.1')
  t.is((await closing(t, tcp('inet6')).listen(false)).localAddress!.address, '::1')
})

test('wrong arguments of listen are refused, and it can still listen', async t => {
  const server = closing(t, tcp())
  for (const backlog of [-1, 1.5, NaN, 2 ** 31]) {
    await t.throwsAsync(server.listen('127.0.0.1', 0, backlog), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  }
  await t.throwsAsync(server.listen('127.0.0.1', 0, '5' as never), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(server.listen('127.0.0.1', 65536), { code: 'ERR_SOCKET_BAD_PORT' })
  await t.throwsAsync(server.listen(Address.parse('[::1]:0')), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.throwsAsync(server.listen('192.0.2.1', 0), { code: 'EADDRNOTAVAIL' })
  await t.notThrowsAsync(server.listen('127.0.0.1'))
})

test('a server that ended can be started again at once on its port, with old connections around', async t => {
  const { server, client, peer } = await connectedPair(t)
  const address = server.localAddress!
  // The side that closes first is the one that lingers.
  peer.close()
  t.is((await client.recv()).length, 0)
  server.close()
  client.close()
  await t.notThrowsAsync(closing(t, tcp()).listen(address))
})

test('accept and connect wake each other through many rounds', async t => {
  const family = lacks.unix ? 'inet' : 'unix' // the faster one, where there is a choice
  const server = await listener(t, family)
  for (let i = 0; i < 200; i++) {
    const [peer, client] = await Promise.all([server.accept(), tcp(family).connect(server.localAddress!)])
    peer.close()
    t.is((await client.recv()).length, 0)
    client.close()
  }
})

test('listen on a bound socket takes the address it has, or any, and is an error for another one', async t => {
  for (const [host, port] of [['*', 0], ['127.0.0.1', undefined], [undefined, 0]] as const) {
    const socket = await closing(t, tcp()).bind('127.0.0.1', 0)
    const address = socket.localAddress!
    await socket.listen(host, host === '127.0.0.1' ? address.port : port)
    t.true(socket.localAddress!.equals(address))
  }
  const socket = await closing(t, tcp()).bind('127.0.0.1', 0)
  await t.throwsAsync(socket.listen('127.0.0.2', 0), { code: 'EINVAL' })
  await socket.listen()
})
