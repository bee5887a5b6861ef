// What a reader gives does not depend on how the stream was cut on its way.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Reader } from 'socket2'
import { rounds, streams } from './_util.js'

/** One call of a reader: what it gives as text, or the code of its error. */
type Step =
  | { readonly call: 'line'; readonly limit: number }
  | { readonly call: 'until'; readonly limit: number; readonly delimiter: string; readonly inclusive: boolean }
  | { readonly call: 'exact'; readonly length: number }

const hex = (data: Uint8Array | null): string | null => data && Buffer.from(data).toString('hex')

/** What the steps give, and all after them, by the definition: looked up in the stream as a whole. */
function expected(stream: Buffer, steps: readonly Step[]): (string | null)[] {
  let rest = stream
  function take(length: number, skipped: number): Buffer {
    const data = rest.subarray(0, length)
    rest = rest.subarray(length + skipped)
    return data
  }
  const results = steps.map((step) => {
    if (step.call === 'exact') return rest.length < step.length ? 'ERR_UNEXPECTED_EOF' : hex(take(step.length, 0))
    const delimiter = Buffer.from(step.call === 'line' ? '\n' : step.delimiter)
    const found = rest.indexOf(delimiter)
    if (step.call === 'line') {
      const cr = found > 0 && rest[found - 1] === 13 ? 1 : 0
      const length = found < 0 ? rest.length : found - cr
      if (length > step.limit) return 'ERR_OUT_OF_RANGE'
      return rest.length === 0 ? null : String(take(length, found < 0 ? 0 : 1 + cr))
    }
    if (found < 0 ? rest.length >= step.limit + delimiter.length : found > step.limit) return 'ERR_OUT_OF_RANGE'
    if (found < 0) return null
    return hex(step.inclusive ? take(found + delimiter.length, 0) : take(found, delimiter.length))
  })
  return [...results, hex(rest)]
}

function perform(reader: Reader, step: Step): Promise<string | null> {
  if (step.call === 'line') return reader.line(step)
  return (step.call === 'until' ? reader.until(step.delimiter, step) : reader.exact(step.length)).then(hex)
}

/** Performs the steps on a stream that comes in these pieces, the next one whenever a step waits for it. */
async function performed(t: ExecutionContext, pieces: readonly Buffer[], steps: readonly Step[]): Promise<(string | null)[]> {
  const [sender, socket] = await streams(t)
  const reader = socket.reader()
  const results: (string | null)[] = []
  let next = 0
  async function finish(call: Promise<string | null>): Promise<void> {
    let settled = false
    const result = call.catch((error: { code: string }) => error.code).finally(() => (settled = true))
    for (await turn(); !settled && next <= pieces.length; await turn()) {
      const piece = pieces[next++]
      if (piece === undefined) sender.shutdown('write')
      else await sender.send(piece)
    }
    results.push(await result)
  }
  for (const step of steps) await finish(perform(reader, step))
  await finish(reader.all().then(hex))
  socket.close()
  sender.close()
  return results
}

/** The stream in pieces: it is cut before byte `i + 1` where bit `i` is set. */
function cut(stream: Buffer, bits: (i: number) => boolean): Buffer[] {
  const pieces: Buffer[] = []
  let start = 0
  for (let end = 1; end <= stream.length; end++) {
    if (end < stream.length && !bits(end - 1)) continue
    pieces.push(stream.subarray(start, end))
    start = end
  }
  return pieces
}

const scripts: readonly [string, readonly Step[]][] = [
  ['é\r\n==-a\r', [
    { call: 'line', limit: 2 },
    { call: 'line', limit: 3 },
    { call: 'until', delimiter: '=-', limit: 1, inclusive: false },
    { call: 'exact', length: 3 },
    { call: 'line', limit: 1 },
    { call: 'line', limit: 2 },
    { call: 'line', limit: 0 }
  ]],
  ['a\r\r\n\n==-', [
    { call: 'line', limit: 1 },
    { call: 'until', delimiter: '==-', limit: 4, inclusive: true },
    { call: 'line', limit: 2 },
    { call: 'exact', length: 1 },
    { call: 'until', delimiter: '=-', limit: 1, inclusive: true }
  ]]
]

for (const [text, steps] of scripts) {
  test(`every way to cut ${JSON.stringify(text)} gives the same`, async t => {
    const stream = Buffer.from(text)
    const result = expected(stream, steps)
    const ways = 1 << (stream.length - 1)
    // From the last, where every byte comes alone.
    for (let cuts = ways - 1; cuts >= 0; cuts -= Math.round(ways / rounds(ways))) {
      t.deepEqual(await performed(t, cut(stream, (i) => (cuts & (1 << i)) !== 0), steps), result, `cuts ${cuts.toString(2)}`)
    }
  })
}

/** Numbers from 0 to below `most`, the same for the same seed (mulberry32). */
function random(seed: number): (most: number) => number {
  return (most) => {
    seed = (seed + 0x6d2b79f5) | 0
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * most)
  }
}

/** About how many pieces a stream comes in at most: each is a turn of the loop. */
const MOST_PIECES = rounds(2000)

test('random streams, calls and cuts give what the stream as a whole says', async t => {
  const atoms = ['a', 'bc', '\n', '\r\n', '\r', '=', '==-', '=-', 'é', '€', '😀', 'x'.repeat(40), 'y'.repeat(3000)]
  for (let seed = 1; seed <= rounds(60); seed++) {
    const any = random(seed)
    const stream = Buffer.from(Array.from({ length: 20 + any(200) }, () => atoms[any(atoms.length - (any(3) === 0 ? 0 : 2))]).join(''))
    const steps = Array.from({ length: 30 }, (): Step => {
      const limit = any(3) === 0 ? any(20) : 5000
      const call = any(3)
      if (call === 0) return { call: 'line', limit }
      if (call === 1) return { call: 'exact', length: any(40) }
      return { call: 'until', limit, delimiter: ['==-', '=-', '\n', 'é', '\r\n'][any(5)]!, inclusive: any(2) === 0 }
    })
    const rarity = Math.max([1, 2, 10, 200][any(4)]!, stream.length / MOST_PIECES)
    const pieces = cut(stream, () => any(rarity) === 0)
    t.deepEqual(await performed(t, pieces, steps), expected(stream, steps), `seed ${seed}`)
  }
})
