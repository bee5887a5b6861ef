// A reader gives lines, delimited pieces and lengths, within limits.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { tcp, type LineOptions, type OperationOptions, type Reader, type ReadOptions, type UntilOptions } from 'socket2'
import { collect, reading, readerOf, sendApart } from './_reader.js'
import { child, closing, lacksMemory, unless } from './_util.js'

const MiB = 1 << 20
const KiB64 = 1 << 16

// Lines

test('a line ends with LF or CRLF, and neither is part of it', async t => {
  const reader = await readerOf(t, 'one\ntwo\r\n\n\r\nfi\rve\r\r\n')
  t.deepEqual(await collect(reader.lines()), ['one', 'two', '', '', 'fi\rve\r'])
})

test('the last line may lack its end, and null follows again and again', async t => {
  const reader = await readerOf(t, 'one\nlast\r')
  t.is(await reader.line(), 'one')
  t.is(await reader.line(), 'last\r')
  t.is(await reader.line(), null)
  t.is(await reader.line(), null)
})

test('an empty stream has no lines, and an end alone is an empty line', async t => {
  t.deepEqual(await collect((await readerOf(t, '')).lines()), [])
  t.deepEqual(await collect((await readerOf(t, '\n')).lines()), [''])
})

test('a line is UTF-8 unless another encoding is asked for, and what is not of it becomes U+FFFD', async t => {
  const reader = await readerOf(t, Buffer.from('gr\xfcn\ngr\xfcn\n\xc3\xbc\n\xff\xfe\n', 'latin1'))
  t.is(await reader.line({ encoding: 'latin1' }), 'grün')
  t.is(await reader.line(), 'gr\ufffdn')
  t.is(await reader.line(), 'ü')
  t.is(await reader.line({ encoding: 'hex' }), 'fffe')
})

test('a character, and the end of a line, may come in pieces', async t => {
  const all = await reading(t)
  const line = all.reader.line()
  await sendApart(all, [...Buffer.from('€😀\r')].map((byte) => Uint8Array.of(byte)))
  await all.sender.send('\n')
  t.is(await line, '€😀')
  t.is(all.reader.buffered, 0)
})

test('lines() gives all lines, and leaving it loses nothing', async t => {
  const reader = await readerOf(t, 'one\ntwo\nthree\nfour')
  for await (const line of reader.lines()) if (line === 'two') break
  t.is(await reader.line(), 'three')
  t.deepEqual(await collect(reader.lines({ encoding: 'hex' })), ['666f7572'])
})

test('a long line that comes in many small pieces is whole, and so is what follows it', async t => {
  const { sender, reader } = await reading(t)
  const line = 'äbcdefg'.repeat(20_000)
  const data = Buffer.from(line + '\r\nnext\n')
  const receiving = reader.line()
  for (let i = 0; i < data.length; i += 37) {
    await sender.send(data.subarray(i, i + 37))
    if (i % 5 === 0) await turn()
  }
  t.is(await receiving, line)
  t.is(await reader.line(), 'next')
})

// Delimiters

test('until gives what comes before the delimiter, or with it, and takes it either way', async t => {
  const reader = await readerOf(t, 'a=1; b=2; ; c')
  t.is(String(await reader.until('; ')), 'a=1')
  t.is(String(await reader.until(Buffer.from('; '), { inclusive: true })), 'b=2; ')
  t.is((await reader.until('; '))?.length, 0)
  t.is(await reader.until('; '), null)
  t.is(await reader.line(), 'c')
})

test('until gives null when the stream ends before the delimiter, again and again, and keeps the rest', async t => {
  const reader = await readerOf(t, 'head\r\n\r')
  t.is(await reader.until('\r\n\r\n'), null)
  t.is(await reader.until('\r\n\r\n'), null)
  t.is(reader.buffered, 7)
  t.is(String(await reader.all()), 'head\r\n\r')
})

test('a delimiter may come in pieces, and its beginning may be repeated before it', async t => {
  const all = await reading(t)
  const piece = all.reader.until('aab')
  await sendApart(all, ['x', 'a', 'a', 'a', 'a'])
  await all.sender.send('b!')
  t.is(String(await piece), 'xaa')
  t.is(String(await all.reader.exact(1)), '!')
})

test('a delimiter that changes while until waits is the one that was given', async t => {
  const { sender, reader } = await reading(t)
  const delimiter = Buffer.from(';')
  const piece = reader.until(delimiter)
  delimiter.fill(',')
  await sender.send('a,b;')
  t.is(String(await piece), 'a,b')
})

// Lengths

test('exact gives so many bytes, and none at once', async t => {
  const all = await reading(t)
  t.is((await all.reader.exact(0)).length, 0)
  const data = all.reader.exact(5)
  await sendApart(all, ['ab', 'c'])
  await all.sender.send('defg')
  t.is(String(await data), 'abcde')
  t.is(all.reader.buffered, 2)
})

test('exact says at an early end how much had come, and keeps it', async t => {
  const reader = await readerOf(t, 'abc')
  t.like(await t.throwsAsync(reader.exact(4)), { code: 'ERR_UNEXPECTED_EOF', bytesRead: 3, syscall: 'recv' })
  t.is(String(await reader.exact(3)), 'abc')
  t.like(await t.throwsAsync(reader.exact(1)), { code: 'ERR_UNEXPECTED_EOF', bytesRead: 0 })
})

test('exact gives more than the limit when asked, whole, and leaves what follows', async t => {
  const { sender, reader } = await reading(t)
  const data = Buffer.alloc(5 * MiB + 123)
  for (let i = 0; i < data.length; i++) data[i] = (i * 31 + (i >> 8)) & 0xff
  const sending = sender.send([Buffer.from('head\n'), data, Buffer.from('tail\n')])
  t.is(await reader.line(), 'head')
  t.true(data.equals(await reader.exact(data.length)))
  t.is(await reader.line(), 'tail')
  t.is(await sending, data.length + 10)
})

// By itself, for it looks at the memory of the process.
test.serial('exact takes memory as data comes, not as it is announced', async t => {
  const all = await reading(t)
  const { sender, reader } = all
  const before = process.memoryUsage().arrayBuffers
  const data = reader.exact(2 ** 31)
  await sendApart(all, ['abc'])
  t.true(process.memoryUsage().arrayBuffers - before < 8 * MiB)
  sender.shutdown('write')
  t.like(await t.throwsAsync(data), { code: 'ERR_UNEXPECTED_EOF', bytesRead: 3 })
  t.is(String(await reader.some()), 'abc')
})

test('some gives what is there, up to max, and waits for it; empty at the end', async t => {
  const { sender, reader } = await reading(t)
  const first = reader.some()
  await sender.send('abcdef')
  t.is(String(await first), 'abcdef')
  await sender.send('ghijkl')
  sender.shutdown('write')
  t.is(String(await reader.some(4)), 'ghij')
  t.is(reader.buffered, 2)
  t.is(String(await reader.some(4)), 'kl')
  t.is((await reader.some()).length, 0)
  t.is((await reader.some(1)).length, 0)
})

test('all gives everything until the end, and then nothing', async t => {
  const reader = await readerOf(t, 'line\nrest\nof it')
  t.is(await reader.line(), 'line')
  t.is(String(await reader.all()), 'rest\nof it')
  t.is((await reader.all()).length, 0)
})

test('what was given out is not touched by what is read later', async t => {
  const { sender, reader } = await reading(t)
  const given: Buffer[] = []
  for (let i = 0; i < 60; i++) {
    const length = 1 + ((i * 7919) % 5000)
    await sender.send(Buffer.concat([Buffer.alloc(length, i), Buffer.from('-'.repeat(i % 3))]))
    given.push(await reader.exact(length), await reader.exact(i % 3))
  }
  t.true(given.every((data, i) => data.every((byte) => byte === (i % 2 === 0 ? i / 2 : 45))))
})

// Limits

test('a limit counts what is given, without the end or delimiter, and to the byte', async t => {
  const reader = await readerOf(t, 'abcd\nabcd\r\nabcde\nabcd--abcde--', { limit: 4 })
  t.is(await reader.line(), 'abcd')
  t.is(await reader.line(), 'abcd')
  await t.throwsAsync(reader.line(), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  t.is(await reader.line({ limit: 5 }), 'abcde')
  t.is(String(await reader.until('--')), 'abcd')
  await t.throwsAsync(reader.until('--'), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  t.is(String(await reader.until('--', { limit: 5, inclusive: true })), 'abcde--')
  t.is(await reader.line({ limit: 0 }), null)
})

test('going past a limit is told without the end of the line, and what had come stays', async t => {
  const all = await reading(t)
  const { sender, reader } = all
  const line = reader.line({ limit: 4 })
  await sendApart(all, ['abcd', '\r'])
  await sender.send('!')
  await t.throwsAsync(line, { code: 'ERR_OUT_OF_RANGE' })
  const piece = reader.until('\n', { limit: 8 })
  await sendApart(all, ['23'])
  await sender.send('4')
  await t.throwsAsync(piece, { code: 'ERR_OUT_OF_RANGE' })
  sender.shutdown('write')
  await t.throwsAsync(reader.all({ limit: 8 }), { code: 'ERR_OUT_OF_RANGE' })
  t.is(String(await reader.all({ limit: 9 })), 'abcd\r!234')
})

test('a last line of a CR too many is past the limit', async t => {
  const reader = await readerOf(t, 'abcd\r')
  await t.throwsAsync(reader.line({ limit: 4 }), { code: 'ERR_OUT_OF_RANGE' })
  t.is(await reader.line({ limit: 5 }), 'abcd\r')
})

test('the limit is 1 MiB by default, for a line, a piece and all', async t => {
  const { sender, socket, reader } = await reading(t)
  const sending = sender.send(Buffer.alloc(2 * MiB, 'x'))
  await t.throwsAsync(reader.line(), { code: 'ERR_OUT_OF_RANGE' })
  // It stops to read there: a peer that never ends its line fills no memory.
  t.true(reader.buffered > MiB && reader.buffered <= MiB + KiB64)
  await t.throwsAsync(reader.until('\n'), { code: 'ERR_OUT_OF_RANGE' })
  await t.throwsAsync(reader.all(), { code: 'ERR_OUT_OF_RANGE' })
  t.true(reader.buffered <= MiB + KiB64)
  t.is((await reader.exact(2 * MiB)).length, 2 * MiB)
  await sending
  const more = sender.send(Buffer.alloc(3 * MiB, 'y'))
  const all = socket.reader({ limit: Infinity }).all()
  await more
  sender.shutdown('write')
  t.is((await all).length, 3 * MiB)
})

// What is read, and as much again for it to grow into.
unless(lacksMemory(4))('a line that is too long for a string rejects each time, never throws, and is to be had otherwise', async t => {
  t.timeout(120_000)
  const { code, stdout, stderr } = await child(t, 'long-line')
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { outcomes: ['ERR_STRING_TOO_LONG', 'ERR_STRING_TOO_LONG', 'next'], whole: true })
})

// Wrong arguments

const wrong: readonly [string, (reader: Reader) => Promise<unknown>, string][] = [
  ['line(null)', (reader) => reader.line(null as unknown as LineOptions), 'ERR_INVALID_ARG_TYPE'],
  ['line(5)', (reader) => reader.line(5 as unknown as LineOptions), 'ERR_INVALID_ARG_TYPE'],
  ['line({ limit: "5" })', (reader) => reader.line({ limit: '5' as unknown as number }), 'ERR_INVALID_ARG_TYPE'],
  ['line({ limit: -1 })', (reader) => reader.line({ limit: -1 }), 'ERR_OUT_OF_RANGE'],
  ['line({ limit: NaN })', (reader) => reader.line({ limit: NaN }), 'ERR_OUT_OF_RANGE'],
  ['line({ limit: 1.5 })', (reader) => reader.line({ limit: 1.5 }), 'ERR_OUT_OF_RANGE'],
  ['line({ encoding: 8 })', (reader) => reader.line({ encoding: 8 as unknown as 'utf8' }), 'ERR_INVALID_ARG_TYPE'],
  ['line({ encoding: "utf9" })', (reader) => reader.line({ encoding: 'utf9' as 'utf8' }), 'ERR_INVALID_ARG_VALUE'],
  ['line({ encoding: "utf16le" })', (reader) => reader.line({ encoding: 'utf16le' }), 'ERR_INVALID_ARG_VALUE'],
  ['line({ timeout: -1 })', (reader) => reader.line({ timeout: -1 }), 'ERR_OUT_OF_RANGE'],
  ['line({ timeout: "1" })', (reader) => reader.line({ timeout: '1' as unknown as number }), 'ERR_INVALID_ARG_TYPE'],
  ['line({ signal: {} })', (reader) => reader.line({ signal: {} as AbortSignal }), 'ERR_INVALID_ARG_TYPE'],
  ['lines({ limit: -1 })', (reader) => collect(reader.lines({ limit: -1 })), 'ERR_OUT_OF_RANGE'],
  ['until()', (reader) => (reader.until as () => Promise<unknown>).call(reader), 'ERR_INVALID_ARG_TYPE'],
  ['until(10)', (reader) => reader.until(10 as unknown as string), 'ERR_INVALID_ARG_TYPE'],
  ['until("")', (reader) => reader.until(''), 'ERR_INVALID_ARG_VALUE'],
  ['until(no bytes)', (reader) => reader.until(new Uint8Array()), 'ERR_INVALID_ARG_VALUE'],
  ['until(a lone surrogate)', (reader) => reader.until('\ud800'), 'ERR_INVALID_ARG_VALUE'],
  ['until({ inclusive: 1 })', (reader) => reader.until('\n', { inclusive: 1 as unknown as boolean }), 'ERR_INVALID_ARG_TYPE'],
  ['until({ limit: -1 })', (reader) => reader.until('\n', { limit: -1 }), 'ERR_OUT_OF_RANGE'],
  ['until(options null)', (reader) => reader.until('\n', null as unknown as UntilOptions), 'ERR_INVALID_ARG_TYPE'],
  ['exact()', (reader) => (reader.exact as () => Promise<unknown>).call(reader), 'ERR_INVALID_ARG_TYPE'],
  ['exact(-1)', (reader) => reader.exact(-1), 'ERR_OUT_OF_RANGE'],
  ['exact(1.5)', (reader) => reader.exact(1.5), 'ERR_OUT_OF_RANGE'],
  ['exact(Infinity)', (reader) => reader.exact(Infinity), 'ERR_OUT_OF_RANGE'],
  ['exact(0, op null)', (reader) => reader.exact(0, null as unknown as OperationOptions), 'ERR_INVALID_ARG_TYPE'],
  ['some(0)', (reader) => reader.some(0), 'ERR_OUT_OF_RANGE'],
  ['some("1")', (reader) => reader.some('1' as unknown as number), 'ERR_INVALID_ARG_TYPE'],
  ['all(1)', (reader) => reader.all(1 as unknown as ReadOptions), 'ERR_INVALID_ARG_TYPE'],
  ['all({ limit: -1 })', (reader) => reader.all({ limit: -1 }), 'ERR_OUT_OF_RANGE']
]

test('a wrong argument rejects, never throws, and takes nothing', async t => {
  const { sender, reader } = await reading(t)
  await sender.send('first\nnext\n')
  t.is(await reader.line(), 'first')
  for (const [name, call, code] of wrong) {
    const promise = call(reader)
    await t.throwsAsync(promise, { code }, name)
  }
  t.is(await reader.line(), 'next')
})

test('reader() throws for a wrong limit', t => {
  const socket = closing(t, tcp())
  t.throws(() => socket.reader({ limit: -1 }), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => socket.reader({ limit: '1' as unknown as number }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => socket.reader(null as unknown as { limit: number }), { code: 'ERR_INVALID_ARG_TYPE' })
})
