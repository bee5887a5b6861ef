/** How pings go: the requests of one run, and what comes of each. */
import type { SocketError } from './errors.js'
import type { PingReply } from './ping.js'
import type { Course, Way } from './ping-fate.js'

/** The most requests whose fate is not told: when the first of them takes for ever, the rest is not kept for ever. Chosen by feel. */
const MOST_WAITING = 1_000
/** The most that is heard after the time for it: more than a socket holds by default, but a flood does not go on for ever. */
const MOST_LATE = 1_000

/** One run of requests. It ends, and leaves nothing behind, when its signal aborts. */
export class Run {
  readonly #course: Course
  readonly #way: Way
  #sent = 0
  /** When the next one may go. */
  #due = 0

  constructor(course: Course, way: Way) {
    this.#course = course
    this.#way = way
  }

  /**
   * The fate of the next request; `null` after the last. Only while this waits is anything waited for: so the process can end in
   * between, and a run that is forgotten be collected. What comes meanwhile is kept, with the time when it came.
   */
  async next(): Promise<PingReply | null> {
    const { wanted: { count, interval, timeout }, signal, requests } = this.#course
    for (let late = 0; ; ) {
      signal.throwIfAborted()
      const [first] = requests
      if (first?.fate !== undefined) {
        requests.shift()
        // Errors are made here, where their stack leads to whoever waits.
        return typeof first.fate === 'function' ? this.#lost(first.sequence, first.fate()) : first.fate
      }
      const more = this.#sent < count && requests.length < MOST_WAITING
      if (first === undefined && !more) return null
      const end = first === undefined ? Infinity : first.sent + timeout
      const time = Math.min(end, more ? this.#due : Infinity)
      // When the thread was busy, what has come in time is still to be heard.
      const heard = await this.#way.hear(time)
      const now = performance.now()
      if (heard && (now < time || ++late < MOST_LATE)) continue
      if (first !== undefined && now >= end) {
        first.fate ??= (): undefined => undefined
      } else if (more && now >= this.#due) {
        this.#due = now + interval
        await this.#way.send(++this.#sent)
      }
    }
  }

  #lost(sequence: number, error?: SocketError): PingReply {
    return { address: this.#course.target, ms: null, ttl: undefined, sequence, ...error === undefined ? {} : { error } }
  }
}
