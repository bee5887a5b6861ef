/** A socket as web streams. */
import { closedError } from './errors.js'
import type { Link, Over } from './link.js'
import { sendEnd } from './outgoing.js'
import { bytesOf, type Data } from './send.js'
import type { TcpSocket } from './tcp.js'

/** How many bytes may wait to be written before `writer.ready` waits; chosen by feel. */
const ENOUGH = 65536

/** What both kinds of controllers have. */
interface Controller {
  error(reason: unknown): void
}

/** The web streams of a socket, made when they are asked for. Before the socket is connected they wait for that. */
export class WebStreams implements Over {
  #readable: ReadableStream<Uint8Array> | undefined
  #writable: WritableStream<Data> | undefined
  readonly #controllers = new Set<Controller>()
  /** Resolved with an error when it is not going to be connected; `undefined` when it is already. */
  #connection: Promise<{ error?: unknown }> | undefined
  #decide: (outcome: { error?: unknown }) => void = () => {}

  constructor(private readonly socket: TcpSocket, private readonly link: Link, connected: boolean) {
    if (!connected) this.#connection = new Promise(resolve => (this.#decide = resolve))
    link.lay(this)
  }

  get readable(): ReadableStream<Uint8Array> {
    return (this.#readable ??= this.#makeReadable())
  }

  get writable(): WritableStream<Data> {
    return (this.#writable ??= this.#makeWritable())
  }

  connected(error?: unknown): void {
    this.#decide({ error })
    if (error === undefined) this.#connection = undefined
    else this.#fail(error)
  }

  ended(): void {
    this.#fail(closedError('recv'))
  }

  /** They take nothing that nobody has asked for. */
  unread(): null {
    return null
  }

  #fail(error: unknown): void {
    this.#decide({ error })
    for (const controller of this.#controllers) controller.error(error)
  }

  async #start(controller: Controller): Promise<void> {
    this.#controllers.add(controller)
    const outcome = await this.#connection
    if (outcome?.error !== undefined) throw outcome.error
  }

  #makeReadable(): ReadableStream<Uint8Array> {
    const { socket } = this
    let cancelled = false
    return new ReadableStream({
      type: 'bytes',
      start: controller => this.#start(controller),
      async pull(controller) {
        const { byobRequest } = controller
        const view = byobRequest?.view
        const came = view ? await socket.recv(view as Uint8Array) : await socket.recv()
        if (cancelled) return
        const length = typeof came === 'number' ? came : came.length
        if (length === 0) controller.close()
        if (byobRequest) byobRequest.respond(length)
        else if (length > 0) controller.enqueue(alone(came as Buffer))
      },
      cancel: () => {
        cancelled = true
        // Ends also what has been asked for and waits.
        const end = (): void => {
          if (!socket.closed) socket.shutdown('read')
        }
        if (this.#connection === undefined) return end()
        // Nobody waits for that: it may never be connected, and nobody reads from it any more when that fails.
        this.#connection.then(({ error }) => error === undefined && end()).catch(() => {})
      }
    })
  }

  #makeWritable(): WritableStream<Data> {
    const { socket, link } = this
    return new WritableStream<Data>({
      start: controller => {
        // It aborts while a write waits, which the abort of a sink would wait for.
        const { signal } = controller as { signal?: AbortSignal }
        signal?.addEventListener('abort', () => {
          // The reason of the abort is what has failed it.
          this.#controllers.delete(controller)
          socket.reset()
        })
        return this.#start(controller)
      },
      async write(data) {
        await socket.send(bytesOf(data))
      },
      async close() {
        await sendEnd(link, socket)
      },
      abort() {
        socket.reset()
      }
    }, { highWaterMark: ENOUGH, size: (data: Data | undefined) => data?.length ?? 0 })
  }
}

/** The bytes in memory of their own: a byte stream takes all the memory that a chunk is part of, and a Buffer may share its. */
function alone(data: Buffer): Uint8Array {
  const { buffer, byteOffset, length } = data
  return buffer.byteLength === length ? new Uint8Array(buffer as ArrayBuffer, byteOffset, length) : new Uint8Array(data)
}
