/** Reading and setting socket options, by the generated table. */
import type { Family, SocketType } from './address.js'
import { rangeError, systemError, typeError, unsupported, valueError } from './errors.js'
import type { Link } from './link.js'
import { native, type Handle } from './native.js'
import { infoFields, optionTable, tcpStates, type OptionName, type OptionRow, type OptionTypes, type ReadOnlyOptionName, type TcpInfo } from './options.generated.js'
import { checkInteger, isBytes } from './validate.js'

/** The options that can be set. */
export type SettableOptionName = Exclude<OptionName, ReadOnlyOptionName>

/** What a socket can be made with: options, set before it is bound or connected, and two that are not the system's. */
export type SocketOptions = { [name in SettableOptionName]?: OptionTypes[name] | undefined } & {
  /** The default for operations that name no timeout, in milliseconds; `Infinity`. */
  timeout?: number | undefined
  /** For unix paths: `bind` takes the path over when a socket is there that nobody listens on any more; off. */
  replaceStale?: boolean | undefined
}

/** The value of an option, as the facade has it. */
type OptionValue = OptionTypes[OptionName]

/** The system has no value for it: -1, as an option that is off crosses. */
const OFF = -1
const value = new Int32Array(1)
/** Where longer values cross; the longest is a list of all 256 numbers of a byte. */
const space = Buffer.alloc(512)

/** The longest value of an option without a name: chosen by feel, far above any that is known. */
const LONGEST = 2 ** 20

/** What the system holds for an option. */
export function readOption(link: Link, name: unknown, type: SocketType, family: Family): OptionValue {
  const row = rowOf(name, type, family)
  const bytes = crossesAsBytes(row)
  const code = bytes ? native.getOptionBytes(link.handle, row.id, space) : native.getOption(link.handle, row.id, value)
  if (code < 0) throw systemError(code, 'getsockopt')
  return bytes ? fromBytes(row, space.subarray(0, code)) : fromNumber(row, value[0] as number, link)
}

/** Sets an option. */
export function writeOption(handle: Handle, name: unknown, setting: unknown, type: SocketType, family: Family): void {
  const row = rowOf(name, type, family)
  const crossing = crossingOf(row, name as string, setting)
  const code = typeof crossing === 'number' ? native.setOption(handle, row.id, crossing) : native.setOptionBytes(handle, row.id, crossing)
  if (code < 0) throw systemError(code, 'setsockopt')
}

/**
 * The options that sockets of each family are to have: one that some of the families lack goes to the others. Throws what is wrong with
 * them, also when no family has one.
 */
export function optionsByFamily(options: SocketOptions, type: SocketType, families: readonly Family[]): Map<Family, SocketOptions> {
  const all = new Map(families.map(family => [family, {} as Record<string, unknown>]))
  for (const [name, setting] of Object.entries(options)) {
    if (setting === undefined) continue
    const having = families.filter(family => hasOption(name, type, family))
    // Where none has it, the first one's reason is as good as any.
    crossingOf(rowOf(name, type, having[0] ?? families[0] as Family), name, setting)
    for (const family of having) (all.get(family) as Record<string, unknown>)[name] = setting
  }
  return all
}

/** What the system holds for an option of its own numbers. */
export function readRawOption(handle: Handle, level: number, name: unknown, length: unknown = 4): Buffer {
  checkNumbers(level, name)
  checkInteger('length', length, 1, LONGEST)
  const into = Buffer.alloc(length)
  const code = native.getRawOption(handle, level, name as number, into)
  if (code < 0) throw systemError(code, 'getsockopt')
  return into.subarray(0, code)
}

/** Sets an option of the system's own numbers. */
export function writeRawOption(handle: Handle, level: number, name: unknown, setting: unknown): void {
  checkNumbers(level, name)
  const bytes = isBytes(setting) ? setting : intBytes(setting)
  const code = native.setRawOption(handle, level, name as number, bytes)
  if (code < 0) throw systemError(code, 'setsockopt')
}

function rowOf(name: unknown, type: SocketType, family: Family): OptionRow {
  if (typeof name !== 'string') throw typeError('name', 'the name of an option', name)
  if (!Object.hasOwn(optionTable, name)) throw valueError('name', 'must be the name of a socket option', name)
  const row = optionTable[name as OptionName]
  const families = row.systems[process.platform]
  if (families === undefined) throw unsupported(`the option '${name}' (${row.constant})`)
  if (!row.types.includes(type) || !row.families.includes(family)) {
    throw valueError('name', `must be an option of ${family} ${type} sockets`, name)
  }
  if (!families.includes(family)) throw unsupported(`the option '${name}' of ${family} sockets (${row.constant})`)
  return row
}

function hasOption(name: string, type: SocketType, family: Family): boolean {
  if (!Object.hasOwn(optionTable, name)) return false
  const { types, families, systems } = optionTable[name as OptionName]
  return types.includes(type) && families.includes(family) && systems[process.platform]?.includes(family) === true
}

/** A value as it crosses; throws what is wrong with it. */
function crossingOf(row: OptionRow, name: string, setting: unknown): number | Uint8Array {
  if (row.readOnly) throw valueError('name', 'can only be read', name)
  return crossesAsBytes(row) ? toBytes(name, row, setting) : toNumber(name, row, setting)
}

function crossesAsBytes({ kind }: OptionRow): boolean {
  return kind === 'text' || kind === 'numbers' || kind === 'info'
}

function fromNumber(row: OptionRow, held: number, link: Link): OptionValue {
  switch (row.kind) {
    case 'bool':
      return held !== 0
    case 'bits':
      return held >>> 0
    case 'micros':
      return held / 1000
    case 'choice':
      return row.words?.[held] as OptionValue
    case 'intOrNull':
    case 'millisOrNull':
      return held === OFF ? null : held
    case 'error':
      // Reading takes it away from the system; whoever else has to know it finds it here.
      if (held !== 0) link.broken = held
      return held === 0 ? null : native.errorName(held)
    default:
      return held
  }
}

function fromBytes(row: OptionRow, bytes: Buffer): OptionValue {
  if (row.kind === 'text') return bytes.toString()
  if (row.kind === 'numbers') return bytes[0] === 0 ? null : [...bytes.subarray(1)]
  const fields = infoFields.map((name, place) => {
    const number = bytes.readDoubleLE(place * 8)
    return [name, name === 'state' ? tcpStates[number] : Number.isNaN(number) ? null : number]
  })
  return Object.fromEntries(fields) as TcpInfo
}

/** The value as it crosses: an integer. */
function toNumber(name: string, row: OptionRow, setting: unknown): number {
  const { kind, min = 0, max = 0, words } = row
  if (setting === null && (kind === 'intOrNull' || kind === 'millisOrNull')) return OFF
  switch (kind) {
    case 'bool':
      if (typeof setting !== 'boolean') throw typeError(name, 'a boolean', setting)
      return setting ? 1 : 0
    case 'choice':
      return wordNumber(name, words as readonly string[], setting)
    case 'millis':
      return time(name, 'a number of milliseconds', setting, min, max)
    case 'millisOrNull':
      return time(name, 'a number of milliseconds or null', setting, min, max)
    case 'micros':
      return time(name, 'a number of milliseconds', setting, min, max, 1000)
    case 'intOrNull':
      if (typeof setting !== 'number') throw typeError(name, 'a number or null', setting)
  }
  checkInteger(name, setting, min, max)
  return kind === 'bits' ? setting | 0 : setting
}

/** A time in units of which there are so many in a millisecond, rounded up. */
function time(name: string, expected: string, setting: unknown, min: number, max: number, units = 1): number {
  if (typeof setting !== 'number') throw typeError(name, expected, setting)
  // What arithmetic with fractions adds is no part of the time.
  const count = Math.ceil(units === 1 ? setting : setting * units - 1e-6)
  if (!(setting >= 0 && count >= min && count <= max)) throw rangeError(name, `from ${min / units} to ${max / units} ms`, setting)
  return count + 0 // never -0
}

function wordNumber(name: string, words: readonly string[], setting: unknown): number {
  const place = words.indexOf(setting as string)
  if (place >= 0) return place
  const expected = `one of ${words.map((word) => `'${word}'`).join(', ')}`
  throw typeof setting === 'string' ? valueError(name, `must be ${expected}`, setting) : typeError(name, expected, setting)
}

/** The value as it crosses: bytes. */
function toBytes(name: string, row: OptionRow, setting: unknown): Uint8Array {
  if (row.kind === 'text') {
    if (typeof setting !== 'string') throw typeError(name, 'a string', setting)
    const bytes = Buffer.from(setting)
    const longest = row.max as number
    if (bytes.length > longest || bytes.includes(0)) throw valueError(name, `must have at most ${longest} bytes, and no NUL among them`, setting)
    return bytes
  }
  if (setting === null) return Uint8Array.of(0)
  if (!Array.isArray(setting)) throw typeError(name, 'a list of numbers or null', setting)
  const numbers = Array.from(setting as unknown[], (number, place) => {
    checkInteger(`${name}[${place}]`, number, row.min as number, row.max as number)
    return number
  })
  return Uint8Array.of(1, ...numbers)
}

/** The names of options can be negative: Windows has some. */
function checkNumbers(level: number, name: unknown): void {
  checkInteger('level', level, 0, 2 ** 31 - 1)
  checkInteger('name', name, -(2 ** 31), 2 ** 31 - 1)
}

/** A C int, as this processor has it. */
function intBytes(setting: unknown): Uint8Array {
  if (typeof setting !== 'number') throw typeError('value', 'a number or a Uint8Array', setting)
  checkInteger('value', setting, -(2 ** 31), 2 ** 32 - 1)
  return new Uint8Array(Int32Array.of(setting).buffer)
}
