// One who is in the room of chat.ts, with what is still to be told to them. Nobody waits for those who do not read.
import type { TcpSocket } from 'socket2'

/** How much is kept for somebody who does not read, in characters; and how long they have to read some of it, in ms. */
const [MOST, PATIENCE] = [64 << 10, 10_000]

/** One who is in the room. */
export class Member {
  readonly #waiting: string[] = []
  readonly #gone = new AbortController()
  #length = 0
  #sending: Promise<void> | undefined

  constructor(readonly socket: TcpSocket, public name: string) {}

  /** Aborts when there is no more to be heard of this one; its reason is how that came. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Is told a last line; there is no more to be heard. */
  end(line: string, how: string): void {
    this.#waiting.push(line)
    this.#gone.abort(how)
    this.#sending ??= this.#send()
  }

  /** Tells a line, as soon as the ones before it are gone; nobody waits for that. Who lags too far behind is told so, and nothing more. */
  tell(line: string): void {
    if (this.gone.aborted) return
    this.#waiting.push(line)
    this.#length += line.length + 1
    if (this.#length > MOST) {
      this.#waiting.length = 0
      this.end('-- you read too slowly for this room', 'was dropped for reading too slowly')
    }
    this.#sending ??= this.#send()
  }

  async #send(): Promise<void> {
    try {
      for (let lines; (lines = this.#waiting.splice(0)).length > 0;) {
        const text = `${lines.join('\n')}\n`
        await this.socket.send(text, { timeout: PATIENCE })
        this.#length -= text.length
      }
    } catch {
      this.#gone.abort('was lost')
      this.socket.close()
    }
    this.#sending = undefined
  }

  /** Resolves when all has been told, or cannot be. */
  async told(): Promise<void> {
    await this.#sending
  }
}
