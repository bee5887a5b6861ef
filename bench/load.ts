/** The load generator, crates/core/examples/load.rs: its header has the lines it speaks in. */
import { fileURLToPath } from 'node:url'
import { Child, output } from './child.js'
import { pinned } from './machine.js'

export interface Report {
  messages: number
  /** In one direction. */
  bytes: number
  seconds: number
  /** Latencies, in nanoseconds. */
  p50: number
  p99: number
}

export interface LoadOptions {
  /** Each message has a connection of its own. */
  renewed?: boolean
  /** So, too, but no sooner than all others have their answers: for `burst`. */
  bursts?: boolean
  /** Each message is a request for a page. */
  http?: boolean
  /** It runs on any core, not on one of its own. */
  everywhere?: boolean
}

export class Load {
  readonly pid: number
  readonly #child: Child

  /** Resolves once `connections` are open, accepted and have echoed one message of `size` bytes each. */
  static async start(port: number, connections: number, size: number, { renewed = false, bursts = false, http = false, everywhere = false }: LoadOptions = {}): Promise<Load> {
    const command = [await program('load'), `127.0.0.1:${port}`, String(connections), String(size), ...(renewed ? ['renewed'] : []), ...(bursts ? ['bursts'] : []), ...(http ? ['http'] : [])]
    const child = await Child.start('the load generator', everywhere ? command : pinned('load', command))
    await child.line(30_000)
    return new Load(child)
  }

  private constructor(child: Child) {
    this.pid = child.pid
    this.#child = child
  }

  /** Makes traffic for so long; when it resolves every answer has come and nothing is in flight. */
  async run(seconds: number): Promise<Report> {
    this.#child.say(String(seconds))
    return await this.#child.line<Report>(seconds * 1_000 + 10_000)
  }

  /** One message on each connection, all of them sent while the server is stopped: the report is of the time from then on, when it is told to go on. */
  async burst(server: Child): Promise<Report> {
    server.pause()
    try {
      this.#child.say('0')
      await this.#child.line(10_000)
    } finally {
      server.resume()
    }
    return await this.#child.line<Report>(10_000)
  }

  end(): Promise<void> {
    return this.#child.end()
  }
}

const built = new Map<string, Promise<string>>()

/** The path of an example of the core, built when first asked for. */
export function program(name: 'load' | 'datagrams'): Promise<string> {
  const path = built.get(name) ?? build(name)
  built.set(name, path)
  return path
}

async function build(name: string): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const messages = await output([
    'cargo', 'build', '--quiet', '--release', '--package', 'socket2-core', '--example', name, '--message-format', 'json',
  ], root)
  for (const line of messages.trim().split('\n')) {
    const message = JSON.parse(line) as { executable?: string | null; target?: { name: string } }
    if (message.executable && message.target?.name === name) return message.executable
  }
  throw new Error(`cargo built no example ${name}`)
}
