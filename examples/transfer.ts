// Files from a folder of one machine to another, which go on where they were cut off: node build/examples/transfer.js serve ~/pictures
// here, and there: node build/examples/transfer.js get 192.0.2.7:7000/2024/cat.jpg
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { realpath, rename, stat, unlink } from 'node:fs/promises'
import { posix } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { serve, SocketError, type OperationOptions } from 'socket2'
import { bold, command, duration, ending, Misuse, number, seconds, size, why } from './parts/command.js'
import { Broken, give, take } from './parts/parcel.js'
import { Part } from './parts/part.js'
import { connect, place, type Place } from './parts/place.js'
import { Progress } from './parts/progress.js'

const USAGE = `Usage: transfer serve [options] folder
       transfer get [options] host:port/name [out]
  folder             whose files may be had, those of folders below too, by whoever can connect
  name               of the file, as in cat.jpg or 2024/cat.jpg
  out                where it goes (the last part of its name); until it is complete it is called out.part
  --host, --port     where to serve (127.0.0.1, any free port; '*' is everywhere)
  --timeout seconds  the other side may be silent (30)
  --tries count      to get anything more before it gives up (8)
  --force            writes over a file that is there
  --help             this text
What is cut off goes on by itself, or when it is asked for again. What has come is compared by SHA-256; nothing is encrypted.`

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '0' }, timeout: { type: 'string', default: '30' },
  tries: { type: 'string', default: '8' }, force: { type: 'boolean' }
} as const

/** How long the other side may be silent, in ms, and how often to try in vain. */
interface Trying {
  timeout: number
  tries: number
}

/** How many may fetch something at a time. */
const MOST = 256
/** How long to wait before the first of a row of tries, and at most, in ms. */
const [FIRST_PAUSE, LAST_PAUSE] = [250, 10_000]

await command(USAGE, OPTIONS, async ({ values, positionals: [verb, what, out, ...surplus] }) => {
  const [port, timeout, tries] = [number('--port', values.port, 0, 65535), seconds('--timeout', values.timeout), number('--tries', values.tries, 1, 1000)]
  if (surplus.length > 0 || (verb === 'serve' && out !== undefined)) throw new Misuse(`'${surplus[0] ?? out}' is too much`)
  if (verb === 'serve' && what !== undefined) return await serveFolder(what, { host: values.host, port, idleTimeout: timeout })
  const [, where, name] = /^(.+?:\d+)\/(.+)$/.exec(what ?? '') ?? []
  if (verb !== 'get' || where === undefined || name === undefined) throw new Misuse("what to do is 'serve folder' or 'get host:port/name'")
  const target = out ?? posix.basename(name)
  if (existsSync(target) && !values.force) throw new Error(`${target} is there already: name another file, or take --force to write over it`)
  return await get(place(where), name, target, { timeout, tries })
})

async function serveFolder(folder: string, options: { host: string; port: number; idleTimeout: number }): Promise<void> {
  const root = await realpath(folder)
  if (!(await stat(root)).isDirectory()) throw new Misuse(`${folder} is no folder`)
  const op = { timeout: options.idleTimeout }
  const server = await serve({ ...options, maxConnections: MOST }, async (socket) => {
    const who = socket.remoteAddress
    try {
      console.log(`${who} ${await give(socket, root, op)}`)
    } catch (error) {
      socket.reset()
      console.log(`${who} was lost: ${why(error)}`)
    }
  })
  console.log(`files of ${root} are at ${bold(String(server.address))}`)
  await once(ending(), 'abort')
  await server.close({ grace: 1000 })
}

/** Fetches a file, by as many connections as it takes, as long as some of them get any further. */
async function get(where: Place, name: string, out: string, trying: Trying): Promise<number> {
  const [signal, progress, began] = [ending(), new Progress(), performance.now()]
  const path = `${out}.part`
  const part = await Part.open(path)
  let sum: string | undefined
  try {
    sum = await complete(part, where, name, { ...trying, signal }, progress)
    await part.file.sync()
  } catch (error) {
    progress.clear()
    if (!signal.aborted) throw error
    console.log(`stopped; what has come is in ${path}, and goes on when it is asked for again`)
    return 1
  } finally {
    await part.file.close()
    if (sum === undefined && part.length === 0) await unlink(path)
  }
  await rename(path, out)
  const took = performance.now() - began
  progress.say(`${bold(out)}: ${size(part.length)} in ${duration(took)}, ${size(Math.round(part.length / took * 1000))}/s, SHA-256 ${sum}`)
  return 0
}

async function complete(part: Part, where: Place, name: string, { tries, ...op }: Trying & OperationOptions, progress: Progress): Promise<string> {
  for (let vain = 0, best = part.length; ;) {
    const [first, since] = [part.length, performance.now()]
    try {
      using socket = await connect(where, op)
      return await take(socket, name, part, op, (whole) => progress.show(part.length / whole, () => {
        const rate = Math.max(part.length - first, 0) / (performance.now() - since) * 1000
        const rest = rate > 0 ? `, ${duration((whole - part.length) / rate * 1000)} left` : ''
        return `${size(part.length)} of ${size(whole)}, ${size(Math.round(rate))}/s${rest}`
      }))
    } catch (error) {
      if (op.signal?.aborted || !(error instanceof Broken || (error instanceof SocketError && error.code !== 'ENOTFOUND'))) throw error
      vain = part.length > best ? 0 : vain + 1
      best = Math.max(best, part.length)
      if (vain >= tries) throw error
      // Not all who were cut off at the same time shall come back at the same time.
      const wait = Math.min(FIRST_PAUSE * 2 ** vain, LAST_PAUSE) * (0.75 + Math.random() / 2)
      progress.say(`${why(error)}; trying again in ${duration(wait)}`)
      await pause(wait, undefined, { signal: op.signal })
    }
  }
}
