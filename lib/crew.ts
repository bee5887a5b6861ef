/** The threads of a server: who has which connections, and what becomes of those whose thread ends. */
import { isAbsolute, join } from 'node:path'
import { clearTimeout, setTimeout } from 'node:timers'
import { pathToFileURL } from 'node:url'
import { MessageChannel, Worker, type MessagePort, type WorkerOptions } from 'node:worker_threads'
import type { Attendance, Report } from './attending.js'
import { SocketError, typeError, valueError } from './errors.js'
import { discard } from './move.js'
import type { ServeTlsOptions } from './securing.js'
import { retold, type Told } from './told.js'
import type { TcpSocket } from './tcp.js'
import { checkInteger } from './validate.js'

/** A server on many threads, and what `new Worker` of `node:worker_threads` is told for each of them. */
export interface ThreadOptions extends Pick<WorkerOptions, 'workerData' | 'env' | 'argv' | 'execArgv' | 'resourceLimits'> {
  /** How many threads; `os.availableParallelism()` is one for each core. */
  threads: number
  /** The module whose default export is the handler: `new URL('./handler.js', import.meta.url)`, or an absolute path. */
  handler: URL | string
}

/** What a thread is told when it begins. */
export interface Orders {
  readonly port: MessagePort
  readonly handler: string
  readonly idleTimeout: number
  readonly tls: ServeTlsOptions | undefined
}

/** What a thread says. */
export type News =
  | { readonly ready: true }
  | { readonly failed: Told }
  /** What a handler has thrown. */
  | { readonly error: Told }
  /** The keys of the connections that have ended. */
  | { readonly ended: readonly string[] }

/** A thread that has lived so long, in ms, is replaced at once; the others wait, longer each time. */
const HEALTHY = 1000
const FIRST_WAIT = 100
const LONGEST_WAIT = 5000

const script = join(__dirname, 'thread.mjs')

interface CrewOptions extends ThreadOptions {
  readonly idleTimeout: number
  readonly tls: ServeTlsOptions | undefined
  readonly report: Report
  /** As `report`, for what a handler has thrown. */
  readonly reportHandler: (error: unknown) => void
  /** Ends it while it starts. */
  readonly signal: AbortSignal | undefined
}

export class Crew implements Attendance {
  readonly patience = 1000
  vacancy: Promise<void> | undefined
  /** Those that have loaded the handler. */
  #members: Member[] = []
  readonly #started = new Set<Member>()
  #filled: (() => void) | undefined
  #closing = false
  #disposed = false
  #wait = 0
  /** Those that wait to begin. */
  readonly #replacements = new Set<NodeJS.Timeout>()

  private constructor(private readonly options: CrewOptions) {}

  /** Resolves when each thread has loaded the handler; when one cannot, or the signal aborts before, none is left. */
  static async start(options: CrewOptions): Promise<Crew> {
    const { signal } = options
    const crew = new Crew(options)
    const abort = (): void => void crew.dispose()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await Promise.all(Array.from({ length: options.threads }, () => crew.#hire()))
      return crew
    } catch (error) {
      await crew.dispose()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  take(socket: TcpSocket, leave: () => void): void {
    let chosen: Member | undefined
    for (const member of this.#members) if (chosen === undefined || member.open.size < chosen.open.size) chosen = member
    if (chosen !== undefined) return chosen.take(socket, leave)
    // It ended after someone was told that it is there.
    socket.close()
    leave()
  }

  closing(): void {
    this.#closing = true
    for (const timer of this.#replacements) clearTimeout(timer)
    // Who waits for a thread now gets none.
    this.#fill()
    for (const member of this.#members) member.port.postMessage('closing')
  }

  end(): void {
    for (const member of this.#members) member.port.postMessage('end')
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    await Promise.all([...this.#started].map(({ worker }) => worker.terminate()))
  }

  /** Starts a thread; resolves when it is one of the crew. */
  async #hire(): Promise<void> {
    const began = performance.now()
    const member = new Member(this.options)
    this.#started.add(member)
    member.worker.once('exit', () => this.#miss(member, performance.now() - began))
    await member.ready
    this.#members.push(member)
    if (this.#closing) member.port.postMessage('closing')
    this.#fill()
  }

  #fill(): void {
    this.vacancy = undefined
    this.#filled?.()
  }

  /** A thread has ended. Those of its connections that it had not taken yet are closed; the others were closed by its end. */
  #miss(member: Member, lived: number): void {
    const wasMember = this.#members.includes(member)
    this.#members = this.#members.filter(other => other !== member)
    this.#started.delete(member)
    if (this.#members.length === 0 && !this.#closing) this.vacancy ??= new Promise(resolve => (this.#filled = resolve))
    member.abandon()
    if (this.#disposed || !wasMember) return
    this.options.report(member.failure, undefined)
    this.#replace(lived)
  }

  #replace(lived: number): void {
    if (this.#closing) return
    this.#wait = lived > HEALTHY ? 0 : Math.min(Math.max(this.#wait * 2, FIRST_WAIT), LONGEST_WAIT)
    const timer = setTimeout(async () => {
      this.#replacements.delete(timer)
      const began = performance.now()
      try {
        await this.#hire()
      } catch (error) {
        if (this.#disposed) return
        this.options.report(error, undefined)
        this.#replace(performance.now() - began)
      }
    }, this.#wait)
    this.#replacements.add(timer)
  }
}

/** One thread. */
class Member {
  readonly worker: Worker
  readonly port: MessagePort
  /** Its connections by their keys, and whom to tell of their end. */
  readonly open = new Map<string, () => void>()
  /** Settled when it has loaded the handler, or could not. */
  readonly ready: Promise<void>
  /** Why it has ended. */
  failure: unknown

  constructor(options: CrewOptions) {
    const { handler, idleTimeout, tls, reportHandler } = options
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.worker = new Worker(script, { name: 'socket2 server', ...workerOptions(options) })
    const orders: Orders = { port: port2, handler: hrefOf(handler), idleTimeout, tls }
    this.worker.postMessage(orders, [port2])
    this.worker.once('error', error => (this.failure = error))
    this.ready = new Promise((resolve, reject) => {
      this.port.on('message', (news: News) => {
        if ('ended' in news) for (const key of news.ended) this.#leave(key)
        else if ('error' in news) reportHandler(retold(news.error))
        else if ('failed' in news) {
          this.failure = retold(news.failed)
          void this.worker.terminate()
        } else {
          resolve()
        }
      })
      this.worker.once('exit', (status) => {
        this.failure ??= new SocketError(`a thread of the server ended with status ${status}`, { code: 'ERR_SOCKET_THREAD_EXIT' })
        reject(this.failure as Error)
      })
    })
    // From then on its connections keep the process alive.
    this.ready.then(() => this.#count(), () => {})
  }

  take(socket: TcpSocket, leave: () => void): void {
    const handle = socket.detach()
    this.open.set(handle.key, leave)
    if (this.open.size === 1) this.#count()
    this.port.postMessage(handle)
  }

  /** It has ended. */
  abandon(): void {
    this.port.close()
    for (const key of [...this.open.keys()]) {
      discard(key)
      this.#leave(key)
    }
  }

  #leave(key: string): void {
    const leave = this.open.get(key)
    this.open.delete(key)
    if (this.open.size === 0) this.#count()
    leave?.()
  }

  /** Keeps the process alive while there are connections; the listener does it for itself. */
  #count(): void {
    if (this.open.size > 0) {
      this.worker.ref()
      this.port.ref()
    } else {
      this.worker.unref()
      this.port.unref()
    }
  }
}

/** What of the options is for `new Worker`. */
function workerOptions({ workerData, env, argv, execArgv, resourceLimits }: ThreadOptions): WorkerOptions {
  const options = Object.entries({ workerData, env, argv, execArgv, resourceLimits }).filter(([, value]) => value !== undefined)
  const inherited = execArgv === undefined && process.execArgv.some(isInputType)
  // What the program on the command line is must not be said of this file. Else they are inherited, which takes more than can be given.
  return Object.fromEntries([...options, ...inherited ? [['execArgv', process.execArgv.filter(argument => !isInputType(argument))]] : []]) as WorkerOptions
}

function isInputType(argument: string): boolean {
  return argument.startsWith('--input-type')
}

/** Checks the options for threads; throws what is wrong with them. */
export function checkThreads({ threads, handler, tls }: Partial<ThreadOptions> & { tls?: ServeTlsOptions | undefined }): void {
  checkInteger('options.threads', threads, 1, MOST_THREADS)
  if (!(handler instanceof URL) && typeof handler !== 'string') throw typeError('options.handler', 'a URL or a path, where there are threads', handler)
  hrefOf(handler)
  for (const [name, value] of Object.entries(tls ?? {})) {
    if (name === 'secureContext' || !isCloneable(value)) {
      // Nothing of a key is for a message.
      throw valueError(`options.tls.${name}`, 'must be left out, where there are threads: it cannot be cloned', typeof value === 'function' ? value : typeof value)
    }
  }
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

const MOST_THREADS = 1024

function hrefOf(handler: URL | string): string {
  if (handler instanceof URL) return handler.href
  if (/^(?:file|data):/.test(handler)) return handler
  // What a relative path is relative to, nobody could tell.
  if (!isAbsolute(handler)) throw valueError('options.handler', 'must be a URL or an absolute path', handler)
  return pathToFileURL(handler).href
}
