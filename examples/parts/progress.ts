// The last line of a terminal, which tells how far something is. Where output is no terminal, only what is said for good is there.
import { dim } from './command.js'

const { stdout } = process
/** Often enough to be seen to move, in ms. */
const PAUSE = 80

export class Progress {
  #shown = -Infinity

  /** Shows how much is done, as a bar with a text beside it; at most every so often, since a terminal is slow. */
  show(part: number, text: () => string): void {
    const now = performance.now()
    if (!stdout.isTTY || now - this.#shown < PAUSE) return
    this.#shown = now
    const columns = (stdout.columns || 80) - 1
    const words = `${(part * 100).toFixed(0).padStart(3)}%  ${text()}`.slice(0, columns)
    const room = Math.max(Math.min(columns - words.length - 1, 40), 0)
    const full = Math.round(room * part)
    stdout.write(`\r\x1b[K${'█'.repeat(full)}${dim('░'.repeat(room - full))} ${words}`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown > 0) stdout.write('\r\x1b[K')
    this.#shown = -Infinity
  }

  /** Says something for good. */
  say(line: string): void {
    this.clear()
    console.log(line)
  }
}
