import { execFile, spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { addr, Address, tcp, udp, type GroupOptions, type SocketError, type UdpSocket } from 'socket2'
import { closing, freshPath, lacks, unless } from './_util.js'

// On Linux the address that a sender is bound to chooses the interface it sends groups from, so tests can stay on the loopback one.
const onLinux = unless(lacks.linux && 'the address of a sender chooses its interface on Linux only')
const LOOPBACK = Object.entries(networkInterfaces()).find(([, all = []]) => all.some(one => one.address === '127.0.0.1'))![0]
// An address with a zone shows the index of the interface that the zone names.
const INDEX = (await addr(`fe80::1%${LOOPBACK}`))[0]!.scopeId!
const INTERFACES: [string, string | number][] = [['its name', LOOPBACK], ['an address of it', '127.0.0.1'], ['its index', INDEX]]

for (const [way, where] of INTERFACES) {
  onLinux(`a group is heard from joining to leaving, on an interface given by ${way}`, async t => {
    const socket = await closing(t, udp()).bind()
    const group = '239.2.0.1'
    t.is(socket.joinGroup(group, { interface: where }), socket)
    await send(t, '127.0.0.1', group, socket, 'to the group')
    const { data, from } = await socket.recv()
    t.deepEqual([String(data), from.address], ['to the group', '127.0.0.1'])
    t.is(socket.leaveGroup(group, { interface: where }), socket)
    await send(t, '127.0.0.1', group, socket, 'too late')
    await send(t, '127.0.0.1', '127.0.0.1', socket, 'directly')
    t.is(String((await socket.recv()).data), 'directly')
  })

  onLinux(`a group with a source is heard from that source only, on an interface given by ${way}`, async t => {
    const socket = await closing(t, udp()).bind()
    const group = '232.2.0.2'
    const [one, two, three] = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const
    socket.joinGroup(group, { source: one, interface: where })
    await send(t, two, group, socket, 'from another')
    await send(t, one, group, socket, 'from the first')
    t.is(String((await socket.recv()).data), 'from the first')

    socket.joinGroup(group, { source: Address.parse(`${two}:0`), interface: where })
    await send(t, three, group, socket, 'from another')
    await send(t, two, group, socket, 'from the second')
    t.is(String((await socket.recv()).data), 'from the second')

    socket.leaveGroup(group, { source: one, interface: where })
    await send(t, one, group, socket, 'too late')
    await send(t, two, group, socket, 'still there')
    t.is(String((await socket.recv()).data), 'still there')
  })
}

onLinux('several sockets hear one group, and each only those that it has joined', async t => {
  const first = await closing(t, udp('inet', undefined, { reuseAddress: true })).bind()
  const { port } = first.localAddress!
  const second = await closing(t, udp('inet', undefined, { reuseAddress: true })).bind('*', port)
  const [shared, own] = ['239.2.0.3', '239.2.0.4']
  first.joinGroup(shared, { interface: LOOPBACK })
  second.joinGroup(shared, { interface: LOOPBACK }).joinGroup(own, { interface: LOOPBACK })
  await send(t, '127.0.0.1', own, first, 'for the second')
  await send(t, '127.0.0.1', shared, first, 'for both')
  t.is(String((await first.recv()).data), 'for both')
  t.is(String((await second.recv()).data), 'for the second')
  t.is(String((await second.recv()).data), 'for both')
})

const SCRIPT = fileURLToPath(new URL('_child/groups6.js', import.meta.url))
// IPv6 has no route for groups on the loopback interface: a network of one's own can have an interface that leads nowhere.
const SETUP = `ip link set lo up && ip link add group0 type veth peer name group1 && ip link set group0 up && ip link set group1 up &&
  ip -6 addr add fd00::1/64 dev group0 nodad && ip -6 addr add fd00::2/64 dev group0 nodad && exec "$0" "$@"`
const ALONE = ['-rn', 'sh', '-c', SETUP]
const permitted = process.platform === 'linux' && spawnSync('unshare', [...ALONE, 'true']).status === 0
unless(!permitted && 'no network namespace to be had here')('IPv6 groups are heard, from all or from one source, the interface named or in their zone', async t => {
  const { stdout, stderr } = await promisify(execFile)('unshare', [...ALONE, process.execPath, SCRIPT])
  t.is(stderr, '')
  t.deepEqual(JSON.parse(stdout), ['by name', 'by address', 'by index', 'by zone', 'by address with zone', 'from one source', 'directly'])
})

const FAMILIES = [
  { family: 'inet', group: '239.2.0.5', source: '127.0.0.1', unknown: ['no such', '203.0.113.77', 0x7fff_ff00] },
  { family: 'inet6', group: 'ff32::5', source: '::1', unknown: ['no such', '2001:db8::77', 0x7fff_ff00] }
] as const

for (const { family, group, source, unknown } of FAMILIES) {
  onLinux(`an ${family} group is joined once, and left once`, t => {
    const socket = closing(t, udp(family))
    const address = Address.from({ family, address: group, port: 0 })
    for (const options of [{ interface: LOOPBACK }, { interface: LOOPBACK, source }]) {
      const once = { name: 'SocketError', code: 'EADDRINUSE', message: `joinGroup EADDRINUSE ${address}` }
      const absent = { name: 'SocketError', code: 'EADDRNOTAVAIL', message: `leaveGroup EADDRNOTAVAIL ${address}` }
      t.throws(() => socket.leaveGroup(group, options), absent)
      socket.joinGroup(group, options)
      t.throws(() => socket.joinGroup(group, options), once)
      socket.leaveGroup(group, options)
      t.throws(() => socket.leaveGroup(group, options), absent)
    }
  })

  test(`joining an ${family} group on an interface that does not exist fails`, async t => {
    const socket = await closing(t, udp(family)).bind()
    // Windows calls some of what is no interface an invalid argument, and Wine what Linux calls no device.
    const codes = process.platform === 'win32' ? ['EADDRNOTAVAIL', 'EINVAL'] : ['EADDRNOTAVAIL']
    for (const where of unknown) {
      const error = t.throws<SocketError>(() => socket.joinGroup(group, { interface: where }), { name: 'SocketError' }, String(where))
      t.true(codes.includes(error.code), `${where}: ${error.message}`)
      t.like(error, { syscall: 'joinGroup', address: group })
    }
  })
}

test('an Address names a group, too', async t => {
  const socket = await closing(t, udp()).bind()
  const options = { interface: '127.0.0.1' }
  socket.joinGroup(Address.parse('239.2.0.6:5353'), options)
  t.throws(() => socket.joinGroup('239.2.0.6', options), { name: 'SocketError' })
  socket.leaveGroup(Address.from({ family: 'inet', address: '239.2.0.6', port: 0 }), options)
})

test('what is not a group of the socket’s family, or no interface, is refused', t => {
  const socket = closing(t, udp())
  const wrong: [code: string, group: unknown, options?: unknown][] = [
    ['ERR_INVALID_ARG_TYPE', undefined],
    ['ERR_INVALID_ARG_TYPE', 224],
    ['ERR_INVALID_ARG_VALUE', '223.255.255.255'],
    ['ERR_INVALID_ARG_VALUE', '240.0.0.0'],
    ['ERR_INVALID_ARG_VALUE', '*'],
    ['ERR_INVALID_ARG_VALUE', 'localhost'],
    ['ERR_INVALID_ARG_VALUE', 'ff02::1'],
    ['ERR_INVALID_ARG_VALUE', Address.parse('unix:/x')],
    ['ERR_INVALID_ARG_TYPE', '224.0.0.1', 'lo'],
    ['ERR_INVALID_ARG_TYPE', '224.0.0.1', null],
    ['ERR_INVALID_ARG_TYPE', '224.0.0.1', { interface: true }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { interface: '' }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { interface: 'lo\0' }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { interface: '\ud800' }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { interface: '::1' }],
    ['ERR_OUT_OF_RANGE', '224.0.0.1', { interface: 0 }],
    ['ERR_OUT_OF_RANGE', '224.0.0.1', { interface: 1.5 }],
    ['ERR_OUT_OF_RANGE', '224.0.0.1', { interface: 2 ** 32 }],
    ['ERR_INVALID_ARG_TYPE', '224.0.0.1', { source: 1 }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { source: '::1' }],
    ['ERR_INVALID_ARG_VALUE', '224.0.0.1', { source: '224.0.0.2' }]
  ]
  for (const [code, group, options] of wrong) {
    t.throws(() => socket.joinGroup(group as string, options as GroupOptions), { code }, String(group))
    t.throws(() => socket.leaveGroup(group as string, options as GroupOptions), { code }, String(group))
  }
})

test('groups are for inet and inet6 sockets that are open', t => {
  if (!lacks.unixDatagrams) {
    const local = closing(t, udp('unix'))
    t.throws(() => local.joinGroup('224.0.0.1'), { code: 'ERR_INVALID_ARG_VALUE' })
    t.throws(() => local.joinGroup(Address.parse(`unix:${freshPath(t)}`)), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  const socket = udp()
  socket.close()
  t.throws(() => socket.joinGroup('224.0.0.1'), { code: 'ERR_SOCKET_CLOSED' })
  t.throws(() => socket.leaveGroup('224.0.0.1'), { code: 'ERR_SOCKET_CLOSED' })
  t.false('joinGroup' in closing(t, tcp()))
})

/** Sends one datagram from an address to a group at the socket's port. */
async function send(t: ExecutionContext, from: string, group: string, to: UdpSocket, data: string): Promise<void> {
  const sender = await closing(t, udp()).bind(from)
  await sender.send(data, group, to.localAddress!.port)
}

