// Several environments in one process, as Electron has them: workers stand in for windows that come, reload and go. Nothing
// here loads the library unless the case does. Each case prints what came of it; the second argument is how often it is repeated.
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import vm from 'node:vm'
import { Worker } from 'node:worker_threads'
import type * as library from 'socket2'
import { census, left } from './census.js'
import { connection, echo } from './echo.js'
import type { Orders } from './environment.js'

const require = createRequire(import.meta.url)
const times = Number(process.argv[3])

const cases: Record<string, () => Promise<unknown>> = {
  /** The main thread never loads it: each time it comes and goes with the one environment that does. */
  async 'only in workers'() {
    const ways = ['return', 'exit', 'terminate'] as const
    for (const how of ways) await lives(how)
    const before = census()
    const echoes: string[] = []
    for (let i = 0; i < times; i++) echoes.push(await lives(ways[i % 3]!))
    return { echoes: echoes.filter(text => text === 'echo').length, left: await left(before), images: images() }
  },

  async 'main and workers'() {
    const [one, other] = await connection(await import('socket2'))
    const talk = async () => {
      await one.send('still here')
      return String(await other.recv())
    }
    await together(4)
    const before = census()
    const said: string[] = []
    for (let i = 0; i < times; i++) said.push(...await Promise.all([talk(), together(4)]))
    const more = await left(before)
    for (const socket of [one, other]) socket.close()
    return { said: [...new Set(said)], left: more, images: images() }
  },

  async 'reload'() {
    await lives('reload', 2)
    const before = census()
    const echoes: string[] = []
    for (let i = 0; i < times; i++) echoes.push(await lives('reload', 12))
    return { echoes, left: await left(before), images: images() }
  },

  /** Environments that are torn down while events come in, each at another moment. */
  async 'flood'() {
    await floods(5)
    const before = census()
    for (let i = 1; i <= times; i++) await floods(i * 8)
    return { left: await left(before), images: images() }
  },

  async 'contexts'() {
    const [one, other] = [0, 1].map(() => loadInto(vm.createContext({
      AbortController, AbortSignal, Buffer, performance, process, queueMicrotask
    })))
    const main = require('socket2') as typeof library
    const said: string[] = []
    for (const [ours, theirs] of [[one, other], [other, main], [main, one]]) {
      const server = await ours!.tcp().listen('127.0.0.1')
      const { address, port } = server.localAddress!
      const client = await theirs!.tcp().connect(address, port)
      const peer = await server.accept()
      // A typed array of yet another context.
      const [data, into] = vm.runInNewContext('[Uint8Array.of(101, 99, 104, 111), new Uint8Array(9)]') as [Uint8Array, Uint8Array]
      await client.send(data)
      said.push(Buffer.from(into.subarray(0, await peer.recv(into))).toString())
      for (const socket of [server, client, peer]) socket.close()
    }
    return { copies: new Set([one!.tcp, other!.tcp, main.tcp]).size, said }
  },

  /** The JavaScript is loaded again and the binding is not, as Jest does it for each test file. */
  async 'second copy'() {
    const first = require('socket2') as typeof library
    for (const path of Object.keys(require.cache)) if (!path.endsWith('.node')) delete require.cache[path]
    const second = require('socket2') as typeof library
    const said: string[] = []
    for (const copy of [first, second, first]) said.push(await echo(copy))
    return { copies: new Set([first.tcp, second.tcp]).size, said }
  }
}

/** The life of a worker, and what it said. */
async function lives(how: Orders['how'], loads = 1): Promise<string> {
  const worker = begin(how, loads)
  const exit = once(worker, 'exit')
  const [text] = await once(worker, 'message') as [string]
  if (how === 'terminate') await worker.terminate()
  await exit
  return text
}

async function together(count: number): Promise<string> {
  const said = await Promise.all(Array.from({ length: count }, (_, i) => lives(i % 2 === 0 ? 'exit' : 'terminate')))
  return [...new Set(said)].join()
}

/** A worker gets more than it can take, in bulk and in drops, and is terminated in the middle of it. */
async function floods(chunks: number): Promise<void> {
  const worker = begin('flood', chunks)
  const [port] = await once(worker, 'message') as [number]
  const clients = [0, 1, 2, 3].map(i => connect(port, '127.0.0.1').on('error', () => {}).on('connect', function (this: Socket) {
    const data = Buffer.alloc(i % 2 === 0 ? 65_536 : 1)
    const more = () => this.write(data)
    this.on(i % 2 === 0 ? 'drain' : 'data', more).resume()
    more()
  }))
  const closed = clients.map(client => new Promise<void>(resolve => client.once('close', () => resolve())))
  await once(worker, 'message')
  await worker.terminate()
  await Promise.all(closed)
}

function begin(how: Orders['how'], times: number): Worker {
  return new Worker(new URL('environment.js', import.meta.url), { workerData: { how, times } satisfies Orders })
}

/** How many images of the binding are mapped; null where nobody tells. */
function images(): number | null {
  if (!existsSync('/proc/self/maps')) return null
  const paths = readFileSync('/proc/self/maps', 'utf8').matchAll(/ r-xp .* (\/.*socket2.*\.node)$/gm)
  return Array.from(paths).length || null // Wine maps them in its own way
}

/** The library in a context of its own, with its own instance of the binding. */
function loadInto(context: vm.Context): typeof library {
  const modules = new Map<string, { exports: object }>()
  function load(path: string): unknown {
    const known = modules.get(path)
    if (known) return known.exports
    const local = createRequire(path)
    if (path.endsWith('.node')) {
      delete require.cache[path]
      return local(path)
    }
    if (path.endsWith('.json')) return local(path)
    const module = { exports: {} }
    modules.set(path, module)
    const names = ['exports', 'require', 'module', '__filename', '__dirname']
    const run = vm.compileFunction(readFileSync(path, 'utf8'), names, { filename: path, parsingContext: context })
    const requires = (id: string) => isBuiltin(id) ? local(id) : load(local.resolve(id))
    run(module.exports, requires, module, path, dirname(path))
    return module.exports
  }
  return load(require.resolve('socket2')) as typeof library
}

console.log(JSON.stringify(await cases[process.argv[2] ?? '']!()))
