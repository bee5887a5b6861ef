// The calls of a reader complete in their order, and one that ends badly loses nothing.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { tcp, type LineOptions, type OperationOptions, type Reader } from 'socket2'
import { reading, sendApart } from './_reader.js'
import { closing, listener, unless, wine } from './_util.js'

const calls: readonly [string, (reader: Reader, op?: OperationOptions) => Promise<unknown>][] = [
  ['line', (reader, op) => reader.line(op)],
  ['until', (reader, op) => reader.until('\n', op)],
  ['exact', (reader, op) => reader.exact(10, op)],
  ['all', (reader, op) => reader.all(op)]
]

for (const [name, call] of calls) {
  test(`${name} that timed out or was aborted loses nothing`, async t => {
    const all = await reading(t)
    const { sender, socket, reader } = all
    const late = call(reader, { timeout: 20 })
    await sender.send('ab')
    t.like(await t.throwsAsync(late), { code: 'ETIMEDOUT', syscall: 'recv', timeout: 20 })
    const controller = new AbortController()
    const aborted = call(reader, { signal: controller.signal })
    await sendApart(all, ['cd'])
    const reason = new Error('changed my mind')
    controller.abort(reason)
    t.is(await t.throwsAsync(aborted), reason)
    t.is(await t.throwsAsync(call(reader, { signal: controller.signal })), reason)
    socket.timeout = 10
    t.like(await t.throwsAsync(call(reader)), { code: 'ETIMEDOUT', timeout: 10 })
    t.like(await t.throwsAsync(call(reader, { timeout: 0 })), { code: 'ETIMEDOUT', timeout: 0, bytesRead: 4 })
    socket.timeout = Infinity
    await sender.send('ef')
    t.is(String(await reader.exact(6)), 'abcdef')
  })
}

test('the time is for the whole call: data that dribbles in does not extend it', async t => {
  const { sender, reader } = await reading(t)
  let over = false
  const line = t.throwsAsync(reader.line({ timeout: 50 }), { code: 'ETIMEDOUT' }).finally(() => (over = true))
  let sent = 0
  for (; !over; sent++) {
    await sender.send('.')
    await turn()
  }
  await line
  t.is((await reader.exact(sent)).length, sent)
})

test('with a timeout of 0 only what is there is given', async t => {
  const { sender, reader } = await reading(t)
  await sender.send('one\ntwo\nthr')
  t.is(await reader.line({ timeout: 0 }), 'one')
  t.is(String(await reader.until('\n', { timeout: 0 })), 'two')
  await t.throwsAsync(reader.line({ timeout: 0 }), { code: 'ETIMEDOUT' })
  t.is(String(await reader.some(10, { timeout: 0 })), 'thr')
  await t.throwsAsync(reader.some(10, { timeout: 0 }), { code: 'ETIMEDOUT' })
})

test('a signal that is aborted already is heeded although the line is there', async t => {
  const { sender, reader } = await reading(t)
  await sender.send('one\ntwo\n')
  await reader.line()
  const signal = AbortSignal.abort('no')
  t.is(await reader.line({ signal }).then(() => undefined, (reason: unknown) => reason), 'no')
  t.is(await reader.line(), 'two')
})

// Order

test('concurrent calls complete in the order they were made, each with its own', async t => {
  const { sender, reader } = await reading(t)
  const order: number[] = []
  const lines = Array.from({ length: 500 }, (_, i) => reader.line().then((line) => [order.push(i), line] as const))
  const piece = reader.until('|')
  const four = reader.exact(4)
  const rest = reader.all()
  await sender.send(lines.map((_, i) => `line ${i}\n`).join('') + 'piece|four')
  t.deepEqual((await Promise.all(lines)).map(([, line]) => line), lines.map((_, i) => `line ${i}`))
  t.deepEqual(order, lines.map((_, i) => i))
  t.is(String(await piece), 'piece')
  t.is(String(await four), 'four')
  await sender.send('rest')
  sender.shutdown('write')
  t.is(String(await rest), 'rest')
})

test('who comes later does not overtake, although what it asks for is there', async t => {
  const all = await reading(t)
  const long = all.reader.exact(8)
  await sendApart(all, ['one\n'])
  const line = all.reader.line()
  await all.sender.send('two\nthree\n')
  t.is(String(await long), 'one\ntwo\n')
  t.is(await line, 'three')
})

test('when a call ends badly, the next one goes on with what is there', async t => {
  const all = await reading(t)
  const { reader } = all
  const controller = new AbortController()
  const long = reader.exact(100, { signal: controller.signal })
  const limited = reader.line({ limit: 2 })
  const piece = reader.until(' ')
  const line = reader.line()
  await sendApart(all, ['first second\n'])
  controller.abort(new Error('enough'))
  await t.throwsAsync(long, { message: 'enough' })
  await t.throwsAsync(limited, { code: 'ERR_OUT_OF_RANGE' })
  t.is(String(await piece), 'first')
  t.is(await line, 'second')
})

test('what was read ahead is given without waiting, also while others wait for the system', async t => {
  const { sender, socket, reader } = await reading(t)
  await sender.send('one\ntwo\nthree\nfour')
  t.is(await reader.line(), 'one')
  const receiving = socket.recv()
  t.is(await reader.line(), 'two')
  t.is(await reader.line({ timeout: 1000 }), 'three')
  t.is(String(await reader.exact(4)), 'four')
  await sender.send('five')
  t.is(String(await receiving), 'five')
})

test('a reader keeps what it has read ahead to itself: recv and another reader get what comes after it', async t => {
  const { sender, socket, reader } = await reading(t)
  await sender.send('one\ntwo\n')
  t.is(await reader.line(), 'one')
  const other = socket.reader()
  const theirs = other.line()
  const received = socket.recv(6)
  const mine = reader.exact(7)
  await sender.send('three\n')
  t.is(await theirs, 'three')
  await sender.send('four')
  t.is(String(await received), 'four')
  await sender.send('six')
  t.is(String(await mine), 'two\nsix')
  t.is(other.buffered, 0)
})

// Ends

test('closing the socket ends the calls that wait, and every later one', async t => {
  const { sender, socket, reader } = await reading(t)
  await sender.send('one\ntwo\nrest')
  t.is(await reader.line(), 'one')
  const waiting = [reader.exact(100), reader.line(), reader.until('x'), reader.some(), reader.all()]
  socket.close()
  for (const { status, reason } of (await Promise.allSettled(waiting)) as PromiseRejectedResult[]) {
    t.is(status, 'rejected')
    t.is((reason as { code: string }).code, 'ERR_SOCKET_CLOSED')
  }
  for (const [, call] of calls) await t.throwsAsync(call(reader), { code: 'ERR_SOCKET_CLOSED' })
  await t.throwsAsync(reader.exact(0), { code: 'ERR_SOCKET_CLOSED' })
})

unless(wine === 8 && 'Wine 8 shows a reset as the end of the stream')('a reset is an error and no end of the stream; what had come before it is not lost', async t => {
  const all = await reading(t)
  const waiting = all.reader.line()
  await sendApart(all, ['part'])
  all.sender.reset()
  await t.throwsAsync(waiting, { code: 'ECONNRESET' })
  t.is(String(await all.reader.some()), 'part')
  await t.throwsAsync(all.reader.line(), { code: 'ECONNRESET' })
})

test('a reader can be made before the connection, and reads once it is there', async t => {
  const server = await listener(t)
  const socket = closing(t, tcp())
  const reader = socket.reader()
  await t.throwsAsync(reader.line(), { code: 'ERR_SOCKET_BAD_STATE' })
  await t.throwsAsync(server.reader().some(), { code: 'ERR_SOCKET_BAD_STATE' })
  await socket.connect(server.localAddress!)
  await closing(t, await server.accept()).send('hello\n')
  t.is(await reader.line(), 'hello')
})

test('the stack of an error leads to the caller, at once and after waiting', async t => {
  const all = await reading(t)
  const { reader, sender } = all
  async function caller(op?: LineOptions): Promise<string | null> {
    return await reader.line(op)
  }
  const waiting = t.throwsAsync(caller({ limit: 3 }))
  await sender.send('too long')
  t.regex((await waiting)?.stack ?? '', /caller/)
  t.regex((await t.throwsAsync(caller({ limit: 3 })))?.stack ?? '', /caller/)
  t.regex((await t.throwsAsync(caller({ timeout: 1 })))?.stack ?? '', /caller/)
})
