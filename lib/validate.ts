/** Checks of arguments that more than one file makes. */
import { types } from 'node:util'
import { rangeError, typeError, valueError } from './errors.js'

const { isUint8Array } = types

/** Whether it is a Uint8Array (a Buffer is one), of this realm or of another, and not merely something that inherits from it. */
export function isBytes(value: unknown): value is Uint8Array {
  return isUint8Array(value)
}

/** Checks the family of a socket to be made. */
export function checkFamily(family: unknown): void {
  if (family !== 'inet' && family !== 'inet6' && family !== 'unix') {
    throw valueError('family', "must be 'inet', 'inet6' or 'unix'", family)
  }
}

/** Checks memory to receive into. */
export function checkSpace(value: unknown): asserts value is Uint8Array {
  if (!isBytes(value)) throw typeError('into', 'a Uint8Array or a length', value)
}

/** Checks memory to receive a stream into: an empty one would look like the end of the stream. */
export function checkStreamSpace(value: unknown): asserts value is Uint8Array {
  checkSpace(value)
  if (value.length === 0) throw rangeError('into.length', 'at least 1 (and its memory not detached)', 0)
}

/** Checks a number of bytes. */
export function checkLength(name: string, value: unknown, least: number): asserts value is number {
  checkInteger(name, value, least, Number.MAX_SAFE_INTEGER)
}

/** Checks an integer in a range. */
export function checkInteger(name: string, value: unknown, least: number, most: number): asserts value is number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw rangeError(name, most === Number.MAX_SAFE_INTEGER ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`, value)
  }
}
