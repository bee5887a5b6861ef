/**
 * What a reader has read ahead and not given out: one run of bytes that grows at its end and is taken from its start.
 *
 * A system call costs more than a copy, so each read asks for all there may be, into memory that all readers share; what came
 * is then copied once, to memory of its size. So a reader that merely waits holds no memory.
 */
import { loop } from './driver.js'
import type { Link } from './link.js'
import { read, SCRATCH_LENGTH } from './receive.js'

const scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)
const NOTHING = Buffer.alloc(0)

/**
 * How many times per turn of the loop may be taken before no more is read in it. Measured with messages of one byte,
 * from a sender that never pauses: a third of the delay that timers have without it.
 */
const BUDGET = 16_384

/** Memory up to this size is kept although nothing is in it, for the next message to be put into. */
const WORTH_KEEPING = 1024

export class Ahead {
  #memory: Buffer = NOTHING
  /** The part of the memory that was filled, whose bytes from `#start` on are those not given out. */
  #filled: Buffer = NOTHING
  #start = 0
  /** No `#sought` is to be found within this many bytes. */
  #searched = 0
  #sought: Buffer = NOTHING
  #turn = 0
  #taken = 0
  /** How many operations of its reader wait. While there are any, nobody else may take from it. */
  waiting = 0

  get length(): number {
    return this.#filled.length - this.#start
  }

  /** So much was taken in this turn that others have a right to theirs before more is read. */
  get exhausted(): boolean {
    return this.#turn === loop.turn && this.#taken > BUDGET
  }

  /** All of it, which stays. */
  rest(): Buffer {
    return this.#filled.subarray(this.#start)
  }

  /** The byte at an index. */
  at(index: number): number | undefined {
    return this.#filled[this.#start + index]
  }

  /**
   * Reads once, at most `most` bytes: the count, 0 at the end of the stream, or a negative error number. `wanted` is the length
   * beyond which memory need not grow in advance.
   */
  fill(link: Link, most: number, wanted: number): number {
    const space = most < SCRATCH_LENGTH ? scratch.subarray(0, most) : scratch
    const count = read(link, space)
    if (count > 0) {
      this.#append(space, count, wanted)
      if (link.ahead?.has(this) !== true) link.holdAhead(this)
    }
    return count
  }

  /** The index of what is sought, or -1. Asked again, it looks only at what came since. */
  find(sought: Buffer): number {
    if (sought !== this.#sought) {
      if (!sought.equals(this.#sought)) this.#searched = 0
      this.#sought = sought
    }
    const from = this.#start + Math.max(this.#searched - sought.length + 1, 0)
    const found = this.#filled.indexOf(sought.length === 1 ? (sought[0] as number) : sought, from)
    this.#searched = found < 0 ? this.length : found - this.#start
    return found < 0 ? -1 : this.#searched
  }

  /** The first bytes as text; they stay. */
  text(length: number, encoding: BufferEncoding): string {
    return this.#filled.toString(encoding, this.#start, this.#start + length)
  }

  /** Takes the first bytes, in memory that is the caller's from now on. */
  take(length: number): Buffer {
    const start = this.#start
    let data: Buffer
    if (length === this.length && length > WORTH_KEEPING && 2 * length > this.#memory.length) {
      // Memory that is mostly this is handed over as it is.
      data = this.#filled.subarray(start, start + length)
    } else {
      data = Buffer.allocUnsafe(length)
      this.#filled.copy(data, 0, start, start + length)
    }
    this.skip(length)
    return data
  }

  /** Drops the first bytes. */
  skip(length: number): void {
    if (this.#turn !== loop.turn) {
      this.#turn = loop.turn
      this.#taken = 0
    }
    this.#taken++
    this.#start += length
    this.#searched = Math.max(this.#searched - length, 0)
    if (this.length > 0) return
    if (this.#memory.length > WORTH_KEEPING) this.#memory = NOTHING
    this.#filled = NOTHING
    this.#start = 0
  }

  #append(from: Buffer, count: number, wanted: number): void {
    const { length } = this
    const end = this.#filled.length
    if (this.#memory.length - end >= count) {
      from.copy(this.#memory, end, 0, count)
      this.#filled = this.#memory.subarray(0, end + count)
      return
    }
    const needed = length + count
    const old = this.#filled
    if (!this.#fits(needed)) {
      // As much again as has gathered: so a long line that comes in small pieces is moved a few times, not once per piece.
      this.#memory = Buffer.allocUnsafe(Math.max(needed, Math.min(needed + length, wanted)))
    }
    old.copy(this.#memory, 0, this.#start)
    from.copy(this.#memory, length, 0, count)
    this.#filled = this.#memory.subarray(0, needed)
    this.#start = 0
  }

  /** Whether the memory can be used again, moved to its beginning: neither too small nor a waste. */
  #fits(needed: number): boolean {
    const { length } = this.#memory
    // What moves must be little beside what was given out, or moving it for each small piece would add up.
    return needed <= length && this.length <= this.#start && length <= Math.max(WORTH_KEEPING, 4 * needed)
  }
}
