// Messages of DNS (RFC 1035), as far as dig.ts needs them: a question in bytes, and an answer in words.
import { randomInt } from 'node:crypto'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { Misuse } from './command.js'
import { dataAt, nameAt, TYPES } from './records.js'

const CLASSES = { IN: 1 }
const STATUSES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']
const FLAGS = { qr: 0x8000, aa: 0x0400, tc: 0x0200, rd: 0x0100, ra: 0x0080 }
const HEADER = 12

export interface Answer {
  id: number
  status: string
  flags: string[]
  /** Each record as dig writes it: name, ttl, class, type, data. */
  sections: Record<'ANSWER' | 'AUTHORITY' | 'ADDITIONAL', string[][]>
}

/** What a server has sent is no answer that makes sense. */
export class Malformed extends Error {}

/** A question, with an id that nobody can guess. */
export function question(name: string, type: string): Buffer {
  const message = Buffer.alloc(HEADER)
  message.writeUInt16BE(randomInt(0x10000), 0)
  message.writeUInt16BE(FLAGS.rd, 2)
  message.writeUInt16BE(1, 4)
  return Buffer.concat([message, encoded(name), Buffer.from([0, TYPES[type] ?? 0, 0, CLASSES.IN])])
}

function encoded(name: string): Buffer {
  const labels = (/[^\x20-\x7e]/.test(name) ? domainToASCII(name) : name).replace(/\.$/, '').split('.')
  const parts = labels.map(label => Buffer.from([label.length, ...Buffer.from(label)]))
  const bytes = Buffer.concat(name === '.' ? [Buffer.alloc(1)] : [...parts, Buffer.alloc(1)])
  const wrong = bytes.length > 255 || (name !== '.' && labels.some(({ length }) => length < 1 || length > 63))
  if (wrong) throw new Misuse(`'${name}' is no name that DNS could have`)
  return bytes
}

/** Whether a message is about our question: its id and its words. An error may leave those out. */
export function concerns(query: Buffer, message: Buffer): boolean {
  if (message.length < HEADER || message.readUInt16BE(0) !== query.readUInt16BE(0) || !(message[2]! & 0x80)) return false
  const words = (bytes: Buffer): string => bytes.toString('latin1', HEADER, query.length).toLowerCase()
  return message.readUInt16BE(4) === 1 ? words(message) === words(query) : message.readUInt16BE(4) === 0 && (message[3]! & 15) !== 0
}

/** Whether the answer did not fit, and is to be had by TCP. */
export function truncated(message: Buffer): boolean {
  return (message[2]! & FLAGS.tc >> 8) !== 0
}

/** What an answer says; throws `Malformed`. */
export function parse(message: Buffer): Answer {
  try {
    const bits = message.readUInt16BE(2)
    let at = HEADER
    for (let i = message.readUInt16BE(4); i > 0; i--) at = nameAt(message, at)[1] + 4
    const section = (place: number): string[][] => Array.from({ length: message.readUInt16BE(place) }, () => {
      const [name, end] = nameAt(message, at)
      const [type, kind, length] = [message.readUInt16BE(end), message.readUInt16BE(end + 2), message.readUInt16BE(end + 8)]
      at = end + 10 + length
      if (at > message.length) throw new RangeError('a record goes on behind the end')
      const [known = `TYPE${type}`] = Object.keys(TYPES).filter(key => TYPES[key] === type)
      const data = dataAt(message, known, end + 10, at)
      return [name, String(message.readUInt32BE(end + 4)), kind === CLASSES.IN ? 'IN' : `CLASS${kind}`, known, data]
    })
    const status = STATUSES[bits & 15] ?? `RCODE${bits & 15}`
    const flags = Object.entries(FLAGS).flatMap(([name, bit]) => bits & bit ? [name] : [])
    return { id: message.readUInt16BE(0), status, flags, sections: { ANSWER: section(6), AUTHORITY: section(8), ADDITIONAL: section(10) } }
  } catch (error) {
    const { code, message: what } = error as NodeJS.ErrnoException
    throw new Malformed(`the answer makes no sense: ${code === undefined ? what : 'it ends too early'}`)
  }
}

/** The name under which the name of an address is kept. */
export function reversed(address: string): string {
  if (isIP(address) === 4) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  if (isIP(address) !== 6 || address.includes('%')) throw new Misuse(`-x takes an IP address, not '${address}'`)
  const halves = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before = '', after] = halves.map(half => half.split(':').map(group => group && group.padStart(4, '0')).join(''))
  const digits = after === undefined ? before : before + after.padStart(32 - before.length, '0')
  return `${[...digits].toReversed().join('.')}.ip6.arpa`
}
