// Pairs: two unix sockets, connected to each other from the start.
import test from 'ava'
import { pair, SeqpacketSocket, TcpSocket, UdpSocket } from 'socket2'
import { closing, lacks, unless } from './_util.js'

unless(lacks.pairs)('a stream pair carries data both ways, and has no addresses', async t => {
  const [one, other] = pair('tcp')
  for (const socket of [one, other]) {
    closing(t, socket)
    t.true(socket instanceof TcpSocket)
    t.deepEqual([socket.type, socket.family, socket.localAddress], ['tcp', 'unix', null])
  }
  await one.send('there')
  await other.send('back')
  t.is(String(await other.recv()), 'there')
  t.is(String(await one.recv()), 'back')
  one.close()
  t.is((await other.recv()).length, 0)
})

unless(lacks.pairs)('a datagram pair keeps messages apart, empty ones included', async t => {
  const [one, other] = pair('udp')
  t.true(closing(t, one) instanceof UdpSocket && closing(t, other) instanceof UdpSocket)
  for (const text of ['a', '', 'bc']) await one.send(text)
  for (const text of ['a', '', 'bc']) t.is(String((await other.recv(10)).data), text)
})

unless(lacks.seqpacket)('a seqpacket pair keeps messages apart, and has an end', async t => {
  const [one, other] = pair('seqpacket')
  t.true(closing(t, one) instanceof SeqpacketSocket && closing(t, other) instanceof SeqpacketSocket)
  for (const text of ['a', 'bc']) await one.send(text)
  one.close()
  for (const text of ['a', 'bc', '']) t.is(String(await other.recv(10)), text)
})

test('what the system does not make is refused by name', t => {
  for (const [type, lacking] of [['tcp', lacks.pairs], ['udp', lacks.pairs], ['seqpacket', lacks.seqpacket]] as const) {
    const make = (): unknown => pair(type as 'tcp').map(end => closing(t, end))
    if (lacking) t.throws(make, { name: 'SocketError', code: 'ERR_UNSUPPORTED_PLATFORM', message: /^pair\('\w+'\) / })
    else t.notThrows(make)
  }
})

test('another type is refused, a name of an object property too', t => {
  for (const type of ['raw', 'stream', '', 'toString', '__proto__', 'constructor', undefined, null, 1, {}]) {
    t.throws(() => pair(type as 'tcp'), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
})

unless(lacks.pairs)('hundreds of pairs talk at once', async t => {
  const pairs = Array.from({ length: 300 }, () => pair('tcp'))
  const echoes = pairs.map(async ([one, other], i) => {
    closing(t, one)
    closing(t, other)
    for (let round = 0; round < 20; round++) {
      await one.send(`${i}:${round}`)
      await other.send(await other.recv())
      if (String(await one.recv()) !== `${i}:${round}`) throw new Error('not mine')
    }
  })
  await t.notThrowsAsync(Promise.all(echoes))
})
