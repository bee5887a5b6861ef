import test from 'ava'
import { Address, loop, ping, raw, tcp, type PingAnswer, type PingOptions, type PingReply, type SocketError } from 'socket2'
import { aloneWithoutRight, ICMP, lacksPing, lacksRaw, lacksUnprivileged } from './_icmp.js'
import { fullStacks, wine } from './_system.js'
import { child, closing, lacks, unless } from './_util.js'

const onLoopback = unless(lacksPing('inet'))
const windows = process.platform === 'win32'
/** Pings have a socket, or on Windows go by a call of the system's. */
const byCall = unless(lacksPing('inet') || (!windows && 'only Windows has a call for it'), test.serial)
const bySocket = unless(lacksPing('inet') || (windows && 'Windows has a call for it, and no socket is opened'))

for (const family of ['inet', 'inet6'] as const) {
  const { host } = ICMP[family]

  const onLoopback = unless(lacksPing(family))

  onLoopback(`a ping that is awaited gives the first answer (${family})`, async t => {
    const { address, ms, ttl, sequence } = await ping(host, { size: 1000, ttl: 5 })
    t.true(address instanceof Address)
    // Windows does not tell the hop limit.
    t.deepEqual([address.address, ttl, sequence], [host, family === 'inet' ? systemTtl() : windows ? undefined : 64, 1])
    t.true(ms >= 0 && ms < 4_000, `${ms} ms`)
    for (const size of [0, 1, 15, 16, 60_000]) t.is((await ping(host, { size })).sequence, 1)
  })

  onLoopback(`a ping that is iterated gives each answer in turn, as many as are to be counted, and not faster than asked (${family})`, async t => {
    const began = performance.now()
    const fates = await all(ping(host, { count: 5, interval: 20 }))
    t.true(performance.now() - began >= 4 * 20 - 1)
    t.deepEqual(fates.map(({ sequence }) => sequence), [1, 2, 3, 4, 5])
    for (const { ms, error } of fates) t.deepEqual([typeof ms, error], ['number', undefined])
  })
}

/** What is left of the ttl of the system's own packets on loopback. */
function systemTtl(): number {
  const socket = tcp()
  try {
    return socket.getOption('ttl')
  } finally {
    socket.close()
  }
}

async function all(pings: AsyncIterable<PingReply>): Promise<PingReply[]> {
  const fates: PingReply[] = []
  for await (const fate of pings) fates.push(fate)
  return fates
}

unless(lacksRaw('inet'))('a ping asks only when it is awaited or iterated, and once however often it is awaited', async t => {
  const listening = closing(t, raw('inet', 'icmp'))
  const pings = ping('127.0.0.1', { size: 123 })
  const [one, other] = await Promise.all([pings, pings.then((answer) => answer)])
  t.is(one, other)
  t.is(await pings, one)
  let heard = 0
  for (;;) {
    const { data } = await listening.recv(undefined, { timeout: 10_000 })
    if (data.length === 20 + 8 + 123 && data[20] === 8) heard++
    if (data.length === 20 + 8 + 123 && data[20] === 0) break
  }
  t.is(heard, 1)
  let ended = 0
  await ping('127.0.0.1').finally(() => ended++)
  t.is(ended, 1)
})

unless(lacksPing('inet') || lacksPing('inet6'))('all interfaces, and loopback by false, are this machine', async t => {
  for (const host of ['0.0.0.0', '*', false] as const) t.is((await ping(host)).address.address, '127.0.0.1')
  t.is((await ping('::')).address.address, '::1')
  t.is((await ping(Address.parse('127.0.0.1:80'))).address.port, 0)
})

const serially = unless(lacksPing('inet'), test.serial)

serially('leaving the loop leaves nothing behind', async t => {
  for await (const { sequence } of ping('127.0.0.1', { interval: 10 })) if (sequence === 2) break
  t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
  const iterator = ping('127.0.0.1')[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.return!()
  t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
  t.true((await iterator.next()).done)
})

serially('whoever leaves while a fate is awaited does not wait for it', async t => {
  const iterator = ping('127.0.0.1', { interval: 60_000 })[Symbol.asyncIterator]()
  await iterator.next()
  const next = iterator.next()
  await iterator.return!()
  t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
  t.deepEqual(await next, { done: true, value: undefined })
})

serially('an answer that comes in time is not lost on a busy thread, and the time until it is taken does not count', async t => {
  const iterator = ping('127.0.0.1', { timeout: 500 })[Symbol.asyncIterator]()
  const next = iterator.next()
  for (let i = 0; i < 100; i++) await null // until it waits for the answer, which is there by then
  const end = performance.now() + 1_000
  while (performance.now() < end);
  const { ms } = ((await next) as IteratorYieldResult<PingReply>).value
  await iterator.return!()
  t.is(typeof ms, 'number')
  t.true(ms! < 500, `${ms} ms`)
})

serially('an aborted ping rejects with the reason, and leaves nothing behind', async t => {
  const reason = new Error('enough')
  for (const wait of [0, 15]) {
    const abort = new AbortController()
    const { signal } = abort
    const sequences: number[] = []
    const pinging = (async () => {
      for await (const { sequence } of ping('127.0.0.1', { interval: 10_000, signal })) sequences.push(sequence)
    })()
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
    abort.abort(reason)
    t.is(await t.throwsAsync(pinging), reason)
    t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
    t.is(await t.throwsAsync(Promise.resolve(ping('127.0.0.1', { signal }))), reason)
  }
})

serially('a ping that is aborted between two answers is closed at once', async t => {
  const abort = new AbortController()
  const iterator = ping('127.0.0.1', { signal: abort.signal })[Symbol.asyncIterator]()
  await iterator.next()
  t.is([...loop.sockets].length, windows ? 0 : 1)
  abort.abort(new Error('enough'))
  await null
  await new Promise(resolve => setImmediate(resolve))
  t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
  await t.throwsAsync(iterator.next(), { message: 'enough' })
})

unless(lacksPing('inet') || (!windows && lacks.linux), test.serial)('hundreds of pings at once get their answers, since none hears those of the others', async t => {
  const count = wine > 0 ? 200 : 300 // Wine has room for 256
  const replies = await Promise.all(Array.from({ length: count }, () => ping('127.0.0.1', { timeout: 20_000 })))
  t.is(replies.length, count)
  t.deepEqual([[...loop.sockets].length, loop.pending], [0, 0])
})

byCall('an answer that comes after its time does not count, and disturbs nobody', async t => {
  for (let i = 0; i < 20; i++) {
    const error = await t.throwsAsync(Promise.resolve(ping('127.0.0.1', { timeout: 0 })), { code: 'ETIMEDOUT' })
    t.like(error, { syscall: 'ping', address: '127.0.0.1', timeout: 0, message: 'ping ETIMEDOUT 127.0.0.1: no answer within 0 ms' })
  }
  t.is((await ping('127.0.0.1')).sequence, 1)
})

byCall('the broadcast address is refused, as to a socket that may not broadcast', async t => {
  t.like(await t.throwsAsync(Promise.resolve(ping('255.255.255.255'))), { code: 'EACCES', syscall: 'ping', address: '255.255.255.255' })
  const fates = await all(ping('255.255.255.255', { count: 2, interval: 10 }))
  t.deepEqual(fates.map(({ ms, error }) => [ms, error?.code]), [[null, 'EACCES'], [null, 'EACCES']])
})

serially('many pings share a signal without a warning', async t => {
  const warnings: Error[] = []
  const warned = (warning: Error): number => warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 20 }, () => ping('127.0.0.1', { signal })))
  await new Promise(resolve => setImmediate(resolve))
  t.deepEqual(warnings, [])
})

test('what is wrong with the arguments rejects, with a stack that leads to the caller, and throws nowhere else', async t => {
  const wrong: [unknown, unknown, string][] = [
    [7, {}, 'ERR_INVALID_ARG_TYPE'], [undefined, {}, 'ERR_INVALID_ARG_TYPE'], ['', {}, 'ERR_INVALID_ARG_VALUE'], ['unix:/x', {}, 'ERR_INVALID_ARG_VALUE'], ['::1', { family: 'inet' }, 'ERR_INVALID_ARG_VALUE'],
    [Address.parse('[::1]:0'), { family: 'inet' }, 'ERR_INVALID_ARG_VALUE'], ['::1', { family: 'unix' }, 'ERR_INVALID_ARG_VALUE'], ['::1', null, 'ERR_INVALID_ARG_TYPE'],
    ['::1', { count: 0 }, 'ERR_OUT_OF_RANGE'], ['::1', { count: 1.5 }, 'ERR_OUT_OF_RANGE'], ['::1', { count: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['::1', { interval: 9 }, 'ERR_OUT_OF_RANGE'], ['::1', { interval: NaN }, 'ERR_OUT_OF_RANGE'], ['::1', { timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    ['::1', { size: 65508 }, 'ERR_OUT_OF_RANGE'], ['::1', { ttl: 0 }, 'ERR_OUT_OF_RANGE'], ['::1', { ttl: 256 }, 'ERR_OUT_OF_RANGE'], ['::1', { signal: {} }, 'ERR_INVALID_ARG_TYPE']
  ]
  const ours = async (host: unknown, options: unknown): Promise<PingAnswer> => await ping(host as string, options as PingOptions)
  for (const [host, options, code] of wrong) {
    const error = await t.throwsAsync(ours(host, options), { code }, JSON.stringify([host, options]))
    if (fullStacks) t.regex(String(error?.stack), /async ours/)
    await t.throwsAsync(all(ping(host as string, options as PingOptions)), { code })
  }
})

onLoopback('a name that is not found rejects as a lookup does', async t => {
  const { code } = (await t.throwsAsync(Promise.resolve(ping('nobody.invalid')))) as SocketError
  t.true(code === 'ENOTFOUND' || code === 'EAI_AGAIN', code)
})

onLoopback('a process ends by itself when its ping has, and when nobody waits for the next answer', async t => {
  const { code, stdout, stderr } = await child(t, 'pings-and-ends')
  t.deepEqual([code, stderr, stdout], [0, '', 'answered\nanswered\n'])
})

onLoopback('workers are terminated in the middle of pings, and a process exits in the middle of one', async t => {
  const { code, stdout, stderr } = await child(t, 'pings-and-exits')
  t.deepEqual([code, stderr, stdout], [0, '', 'terminated\nexits\n'])
})

bySocket('a ping that is forgotten while nobody waits is closed when it is collected, with a warning', async t => {
  const { code, stdout, stderr } = await child(t, 'pings-and-forgets', [], ['--expose-gc', '--no-warnings'])
  t.deepEqual([code, stderr, stdout], [0, '', 'SOCKET2_LEAK\n0\n'])
})

unless(lacksUnprivileged)('without the right to it a ping rejects, and says what is needed', async t => {
  const { stdout, stderr } = await child(t, 'pinger', ['await', '127.0.0.1'], [], aloneWithoutRight(false))
  t.is(stderr, '')
  t.like(JSON.parse(stdout), { error: { code: 'EPERM', syscall: 'socket', here: fullStacks } })
  t.regex(stdout, /CAP_NET_RAW; .*net\.ipv4\.ping_group_range/)
})
