// What is in an answer of DNS: names and the data of records, in words. Whatever makes no sense throws a RangeError.

/** The types of records that are shown in words, by their numbers. */
export const TYPES: Readonly<Record<string, number>> = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 }

/** A name, and where it ends. It may go on elsewhere, and there elsewhere again, until it is longer than a name can be. */
export function nameAt(message: Buffer, start: number): [name: string, end: number] {
  let [at, end, name, length] = [start, 0, '', 0]
  for (let jumps = 0; ; ) {
    const size = message.readUInt8(at)
    if (size >= 0xc0) {
      end ||= at + 2
      at = message.readUInt16BE(at) & 0x3fff
      if (++jumps > 127) throw new RangeError('a name goes round in circles')
      continue
    }
    length += size + 1
    if (size > 63 || length > 255) throw new RangeError('a name is too long')
    if (size === 0) return [name || '.', end || at + 1]
    if (at + size >= message.length) throw new RangeError('a name goes on behind the end')
    name += `${escaped(message.subarray(at + 1, at + 1 + size), /["().;\\@$ ]/)}.`
    at += 1 + size
  }
}

/** The data of a record, from `at` to `end`. */
export function dataAt(message: Buffer, type: string, at: number, end: number): string {
  const number = (offset: number): number => message.readUInt16BE(at + offset)
  const name = (from: number, to = end): string => {
    const [text, last] = nameAt(message, from)
    if (last !== to) throw new RangeError('a record is not as long as it says')
    return text
  }
  const data = message.subarray(at, end)
  switch (type) {
    case 'A':
      if (data.length === 4) return data.join('.')
      break
    case 'AAAA':
      if (data.length === 16) return new URL(`http://[${data.toString('hex').match(/..../g)!.join(':')}]`).hostname.slice(1, -1)
      break
    case 'NS': case 'CNAME': case 'PTR': return name(at)
    case 'MX': return `${number(0)} ${name(at + 2)}`
    case 'SRV': return `${number(0)} ${number(2)} ${number(4)} ${name(at + 6)}`
    case 'SOA': {
      const [, second] = nameAt(message, at)
      return `${name(at, second)} ${name(second, end - 20)} ${[20, 16, 12, 8, 4].map(back => message.readUInt32BE(end - back)).join(' ')}`
    }
    case 'TXT': return texts(data)
  }
  return `\\# ${data.length} ${data.toString('hex')}`.trimEnd() // RFC 3597
}

function texts(data: Buffer): string {
  const parts: string[] = []
  for (let at = 0; at < data.length; at += 1 + data[at]!) {
    if (at + data[at]! >= data.length) throw new RangeError('a text goes on behind its end')
    parts.push(`"${escaped(data.subarray(at + 1, at + 1 + data[at]!), /["\\]/)}"`)
  }
  return parts.join(' ')
}

/** Bytes as text that is harmless, and could be told from any other: what is special comes behind a backslash, what is not ASCII as \\DDD. */
function escaped(bytes: Buffer, special: RegExp): string {
  return Array.from(bytes, byte => {
    const character = String.fromCharCode(byte)
    return byte < 32 || byte > 126 ? `\\${String(byte).padStart(3, '0')}` : special.test(character) ? `\\${character}` : character
  }).join('')
}
