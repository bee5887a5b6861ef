/** Reading and setting socket options, by the generated table. */
import type { Family, SocketType } from './address.js'
import { rangeError, systemError, typeError, unsupported, valueError } from './errors.js'
import type { Link } from './link.js'
import { native, type Handle } from './native.js'
import { optionTable, type OptionName, type OptionRow, type OptionTypes } from './options.generated.js'
import { checkInteger } from './validate.js'

type ReadOnlyName = 'error'

/** The options that can be set. */
export type SettableOptionName = Exclude<OptionName, ReadOnlyName>

/** What a socket can be made with: options, set before it is bound or connected, and two that are not the system's. */
export type SocketOptions = { [name in SettableOptionName]?: OptionTypes[name] | undefined } & {
  /** The default for operations that name no timeout, in milliseconds; `Infinity`. */
  timeout?: number | undefined
  /** For unix paths: `bind` takes the path over when a socket is there that nobody listens on any more; off. */
  replaceStale?: boolean | undefined
}

/** The system has no value for it: -1, as a millisecond option that is off crosses. */
const OFF = -1
const value = new Int32Array(1)

/** What the system holds for an option. */
export function readOption(link: Link, name: unknown, type: SocketType, family: Family): boolean | number | string | null {
  const row = rowOf(name, type, family)
  const code = native.getOption(link.handle, row.id, value)
  if (code < 0) throw systemError(code, 'getsockopt')
  const held = value[0] as number
  switch (row.kind) {
    case 'bool':
      return held !== 0
    case 'millis':
      return held === OFF ? null : held
    case 'error':
      // Reading takes it away from the system; whoever else has to know it finds it here.
      if (held !== 0) link.broken = held
      return held === 0 ? null : native.errorName(held)
    default:
      return held
  }
}

/** Sets an option. */
export function writeOption(handle: Handle, name: unknown, setting: unknown, type: SocketType, family: Family): void {
  const row = rowOf(name, type, family)
  if (row.readOnly) throw valueError('name', 'can only be read', name)
  const code = native.setOption(handle, row.id, crossing(name as string, row, setting))
  if (code < 0) throw systemError(code, 'setsockopt')
}

function rowOf(name: unknown, type: SocketType, family: Family): OptionRow {
  if (typeof name !== 'string') throw typeError('name', 'the name of an option', name)
  if (!Object.hasOwn(optionTable, name)) throw valueError('name', 'must be the name of a socket option', name)
  const row = optionTable[name as OptionName]
  if (!row.platforms.includes(process.platform)) throw unsupported(`the option '${name}' (${row.constant})`)
  if (!row.types.includes(type) || !row.families.includes(family)) {
    throw valueError('name', `must be an option of ${family} ${type} sockets`, name)
  }
  return row
}

/** The value as it crosses: an integer. */
function crossing(name: string, row: OptionRow, setting: unknown): number {
  if (row.kind === 'bool') {
    if (typeof setting !== 'boolean') throw typeError(name, 'a boolean', setting)
    return setting ? 1 : 0
  }
  if (row.kind === 'millis') {
    if (setting === null) return OFF
    if (typeof setting !== 'number') throw typeError(name, 'a number of milliseconds or null', setting)
    if (!(setting >= 0 && setting <= (row.max as number))) throw rangeError(name, `from 0 to ${row.max} ms`, setting)
    return Math.ceil(setting)
  }
  checkInteger(name, setting, row.min as number, row.max as number)
  return setting
}
