// The backends of proxy.ts: whose turn it is, who is up, and what each has done.
import type { SocketError, TcpSocket } from 'socket2'
import { green, red, size, why } from './command.js'
import { connect, type Place } from './place.js'

/** What fails for want of something here, and says nothing of the backend. */
const OURS: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']

/** A server that connections are passed on to. */
export class Backend {
  /** The last attempt to connect came to something. One that nobody has tried yet is given a chance. */
  up = true
  readonly #open = new Set<TcpSocket>()
  #served = 0
  #failed = 0
  #there = 0
  #back = 0

  constructor(readonly place: Place) {}

  /** Connects to it, which tells whether it is up; a change of that is told. Rejects also when the signal aborts, which tells nothing. */
  async connect(timeout: number, signal?: AbortSignal): Promise<TcpSocket> {
    try {
      const socket = await connect(this.place, { timeout, signal })
      if (!this.up) console.log(`${this.place.text} is up again`)
      this.up = true
      return socket
    } catch (error) {
      if (signal?.aborted || OURS.includes((error as SocketError).code)) throw error
      this.#failed++
      if (this.up) console.log(`${this.place.text} is down: ${why(error)}`)
      this.up = false
      throw error
    }
  }

  enter(socket: TcpSocket): void {
    this.#open.add(socket)
    this.#served++
  }

  leave(socket: TcpSocket): void {
    this.#open.delete(socket)
    this.#there += socket.bytesWritten
    this.#back += socket.bytesRead
    socket.close()
  }

  /** A line of the statistics. */
  get line(): string[] {
    let [there, back] = [this.#there, this.#back]
    for (const { bytesWritten, bytesRead } of this.#open) {
      there += bytesWritten
      back += bytesRead
    }
    return [this.place.text, this.up ? 'up' : 'down', ...[this.#open.size, this.#served, this.#failed].map(String), size(there), size(back)]
  }
}

export class Balancer {
  #turn = 0
  #checking = false

  constructor(readonly backends: readonly Backend[], readonly timeout: number) {}

  get up(): number {
    return this.backends.filter(({ up }) => up).length
  }

  /** A connection to the backend whose turn it is; to the next one, when that fails. Those that are down are tried last: they may be back. */
  async connect(signal: AbortSignal): Promise<[Backend, TcpSocket]> {
    const [up, down] = [this.backends.filter(({ up }) => up), this.backends.filter(({ up }) => !up)]
    const first = up.length > 0 ? this.#turn++ % up.length : 0
    let failure: unknown
    for (const backend of [...up.slice(first), ...up.slice(0, first), ...down]) {
      try {
        const socket = await backend.connect(this.timeout, signal)
        backend.enter(socket)
        return [backend, socket]
      } catch (error) {
        failure = error
        if (signal.aborted || OURS.includes((error as SocketError).code)) break
      }
    }
    throw failure
  }

  /** Tries each backend, unless that is going on already. */
  async check(): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    await Promise.all(this.backends.map(backend => backend.connect(this.timeout).then(socket => socket.close(), () => {})))
    this.#checking = false
  }

  /** What each backend has done, as a table. */
  statistics(): string {
    const rows = [['backend', 'state', 'open', 'served', 'failed', 'sent to it', 'received'], ...this.backends.map(({ line }) => line)]
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
    const line = (row: string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()
    return rows.map(line).join('\n').replace(/ up( |$)/gm, ` ${green('up')}$1`).replaceAll(' down ', ` ${red('down')} `)
  }
}
