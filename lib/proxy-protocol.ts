/**
 * The PROXY protocol, versions 1 and 2: the header by which a proxy says whom it speaks for. Here it is bytes, which are understood and
 * made; proxy-read.ts receives them. Its text is proxy-protocol.txt of HAProxy.
 *
 * Version 1 is a line of text: `PROXY TCP4 192.0.2.1 198.51.100.2 40000 443`, CR LF. Version 2 is 12 bytes that nothing else begins with,
 * one of version and command, one of family and transport, two of the length of what follows: the addresses, and a list (proxy-tlv.ts).
 */
import { Address, addressFrom, literal, type AddressFields } from './address.js'
import { rangeError, typeError, valueError } from './errors.js'
import { checkChecksum, putChecksum, tlvBytes, tlvsIn, type OutgoingProxyTlv, type ProxyTlv } from './proxy-tlv.js'

/** What a proxy has told of a connection. */
export interface Proxied {
  /** Of the protocol. */
  readonly version: 1 | 2
  /**
   * `'LOCAL'`: it tells of no client. The proxy connected for itself, as it does to see whether the server is well; or knows of no address
   * to tell, as HAProxy says it of clients that came to it by a unix path.
   */
  readonly command: 'PROXY' | 'LOCAL'
  /** By what the client is connected to the proxy: TCP or a unix stream, or datagrams; `undefined`: unknown. */
  readonly transport: 'stream' | 'dgram' | undefined
  /** The client; `null` where the header does not tell: then `socket.remoteAddress` is the proxy. */
  readonly source: Address | null
  /** Where the client connected to. */
  readonly destination: Address | null
  /** What else it tells, in its order; empty in version 1. */
  readonly tlvs: readonly ProxyTlv[]
  /** The proxy itself: the other end of this connection. */
  readonly proxy: Address | null
  /** Where the proxy connected to: this end. */
  readonly local: Address | null
}

/** What a header says. */
export type ProxyHeader = Omit<Proxied, 'proxy' | 'local'>

/** What a header is to say. */
export interface ProxyHeaderOptions {
  /**
   * The client: the `remoteAddress` of its connection. `null`, or left out: unknown, or there is none, and the connection is made for its
   * own sake. Version 2 then says LOCAL, which every receiver takes; version 1 says UNKNOWN.
   */
  source?: Address | AddressFields | null | undefined
  /** Where the client connected to: the `localAddress` of its connection. */
  destination?: Address | AddressFields | null | undefined
  /** 2 by default; 1 is a line of text, for receivers that know only that. */
  version?: 1 | 2 | undefined
  /** By what the client is connected: `'stream'` by default. */
  transport?: 'stream' | 'dgram' | undefined
  /** What else to tell; version 2. The `proxied.tlvs` of a connection are passed on as they are, its checksum made anew. */
  tlvs?: readonly OutgoingProxyTlv[] | undefined
  /** Adds a CRC-32C, which the receiver verifies; version 2. `false` by default. */
  checksum?: boolean | undefined
}

/** The longest header that is taken, in bytes. The protocol means 536 and allows 65,551; a client's certificate can need some thousand. */
export const LONGEST_HEADER = 16_384
const LONGEST_LINE = 107
const LONGEST_BLOCK = 0xffff

const TEXT = Buffer.from('PROXY ')
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')
/** The version, and the command. */
const LOCAL = 0x20
const PROXY = 0x21
/** What a block has before its addresses. */
const HEAD = 16
/** The shortest line: `PROXY UNKNOWN` and its end. */
const SHORTEST_LINE = 15
/** The path of a unix address. */
const PATH = 108

const FAMILIES = [undefined, 'inet', 'inet6', 'unix'] as const
const TRANSPORTS = [undefined, 'stream', 'dgram'] as const
/** How long the two addresses of each family are. */
const LENGTHS = { inet: 12, inet6: 36, unix: 2 * PATH } as const

/** Whether these bytes begin a header, as far as they go. */
export function beginsHeader(bytes: Uint8Array): boolean {
  return agrees(bytes, TEXT) || agrees(bytes, SIGNATURE)
}

/** Whether they are so many that they begin nothing else. */
export function isSure(bytes: Uint8Array): boolean {
  return bytes.length >= (bytes[0] === TEXT[0] ? TEXT.length : SIGNATURE.length)
}

/**
 * How many bytes of a header are missing at least: so many can be read without reading beyond it. 0: it is complete. What is wrong with
 * it is told as soon as it can be known.
 */
export function missing(bytes: Buffer): number | string {
  if (bytes.length === 0) return SHORTEST_LINE
  if (!beginsHeader(bytes)) return 'it begins otherwise'
  return bytes[0] === TEXT[0] ? missingOfLine(bytes) : missingOfBlock(bytes)
}

/** What a complete header says, or what is wrong with it. */
export function parseHeader(bytes: Buffer): ProxyHeader | string {
  const rest = missing(bytes)
  if (rest !== 0) return typeof rest === 'string' ? rest : 'it ends early'
  return bytes[0] === TEXT[0] ? parseLine(bytes) : parseBlock(bytes)
}

/**
 * Makes a header of the PROXY protocol: what a proxy sends first, before anything of its client's, over the connection to a server that
 * expects it.
 *
 * ```ts
 * await upstream.send(proxyHeader({ source: client.remoteAddress, destination: client.localAddress }))
 * ```
 * IPv4 addresses in IPv6 form, of a socket of both families, are told as IPv4; one of each family as IPv6. Unix addresses are unknown to
 * version 1, and refused by HAProxy and Envoy in version 2: leave them out for those. Keep it below 536 bytes, which every network passes
 * on at once; `serve` takes 16,384.
 *
 * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (an address and a path; what version 1 cannot tell), `ERR_OUT_OF_RANGE`
 * (longer than 65,551 bytes). See proxy-protocol.txt of HAProxy.
 */
export function proxyHeader(options: ProxyHeaderOptions): Buffer {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { version = 2, transport = 'stream', tlvs, checksum = false } = options
  if (version !== 1 && version !== 2) throw valueError('options.version', 'must be 1 or 2', version)
  if (transport !== 'stream' && transport !== 'dgram') throw valueError('options.transport', "must be 'stream' or 'dgram'", transport)
  if (typeof checksum !== 'boolean') throw typeError('options.checksum', 'a boolean', checksum)
  const ends = endsOf(options)
  const list = tlvBytes(tlvs, checksum)
  if (version === 2) return block(ends, transport, list)
  if (transport === 'dgram') throw valueError('options.transport', "must be 'stream' in version 1", transport)
  if (list.length > 0) throw valueError('options.tlvs', 'must be left out in version 1, and the checksum, too', tlvs)
  return line(ends)
}

// Version 1

/** `PROXY TCP4 ` and its like, which is followed by four words: two addresses, two ports. */
const KINDS = { 'TCP4 ': 'inet', 'TCP6 ': 'inet6', UNKNOWN: undefined } as const
const SHORTEST_ADDRESS = { inet: '0.0.0.0'.length, inet6: '::'.length } as const
const WORDS = 4

function missingOfLine(bytes: Buffer): number | string {
  const text = bytes.toString('latin1', TEXT.length)
  const kind = Object.entries(KINDS).find(([word]) => text.startsWith(word) || word.startsWith(text))
  if (kind === undefined) return 'it is of no known protocol'
  const [word, family] = kind
  if (text.length < word.length) return SHORTEST_LINE - bytes.length
  const rest = text.slice(word.length)
  const end = rest.search(/[\r\n]/)
  const said = end < 0 ? rest : rest.slice(0, end)
  const more = family === undefined ? unknownMissing(said) : wordsMissing(said, family)
  if (typeof more === 'string') return more
  // Nothing may end it but both, and nothing may follow them.
  if (end >= 0 && (more > 2 || !'\r\n'.startsWith(rest.slice(end)))) return 'its line ends early, or otherwise than by CR LF'
  const missed = end < 0 ? more : 2 - (rest.length - end)
  return bytes.length + missed > LONGEST_LINE ? `its line is longer than ${LONGEST_LINE} bytes` : missed
}

/** Of whom nothing is known anything may be said, after a space. */
function unknownMissing(rest: string): number | string {
  return rest === '' || rest.startsWith(' ') ? 2 : 'it is of no known protocol'
}

/** At least so much is missing of the words, the spaces between them, and the end of the line. */
function wordsMissing(rest: string, family: keyof typeof SHORTEST_ADDRESS): number | string {
  if (/[^\da-f:. ]/i.test(rest)) return 'it has a character that is in no address'
  const words = rest.split(' ')
  if (words.length > WORDS) return 'it has too many words'
  if (words.slice(0, -1).includes('')) return 'it has an empty word'
  let more = 2 + (WORDS - words.length)
  for (let i = words.length - 1; i < WORDS; i++) more += Math.max((i < 2 ? SHORTEST_ADDRESS[family] : 1) - (words[i]?.length ?? 0), 0)
  return more
}

const NUMBER = /^(?:0|[1-9]\d{0,4})$/

function parseLine(bytes: Buffer): ProxyHeader | string {
  const text = bytes.toString('latin1', TEXT.length, bytes.length - 2)
  const header = { version: 1, command: 'PROXY', tlvs: [] } as const
  if (text.startsWith('UNKNOWN')) return { ...header, transport: undefined, source: null, destination: null }
  const [kind, source = '', destination = '', sourcePort = '', destinationPort = ''] = text.split(' ')
  const family = kind === 'TCP4' ? 'inet' : 'inet6'
  const from = endOf(family, source, sourcePort)
  const to = endOf(family, destination, destinationPort)
  if (from === null || to === null) return 'an address is not one of its protocol, or a port is none'
  return { ...header, transport: 'stream', source: from, destination: to }
}

function endOf(family: 'inet' | 'inet6', text: string, port: string): Address | null {
  const address = literal(text)
  return address?.family === family && NUMBER.test(port) && Number(port) <= 0xffff ? address.withPort(Number(port)) : null
}

function line(ends: Ends): Buffer {
  const [source, destination] = ends ?? []
  if (source === undefined || destination === undefined || source.family === 'unix') return Buffer.from('PROXY UNKNOWN\r\n')
  const kind = source.family === 'inet' ? 'TCP4' : 'TCP6'
  return Buffer.from(`PROXY ${kind} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`)
}

// Version 2

function missingOfBlock(bytes: Buffer): number | string {
  const { length } = bytes
  const [command = LOCAL, kind = 0] = bytes.subarray(SIGNATURE.length)
  if (command !== LOCAL && command !== PROXY) return 'it is of another version, or its command is none'
  // Of LOCAL nothing else is heeded.
  const counts = command === PROXY
  if (counts && (kind >> 4 >= FAMILIES.length || (kind & 15) >= TRANSPORTS.length)) return 'it is of no known family and transport'
  if (length < HEAD) return HEAD - length
  const block = bytes.readUInt16BE(HEAD - 2)
  if (HEAD + block > LONGEST_HEADER) return `it is longer than ${LONGEST_HEADER} bytes`
  if (counts && block < addressLength(kind)) return 'it is shorter than its addresses'
  return length > HEAD + block ? 'more follows it' : HEAD + block - length
}

/** How long the addresses are, where both family and transport are known. */
function addressLength(kind: number): number {
  const family = FAMILIES[kind >> 4]
  return family === undefined || TRANSPORTS[kind & 15] === undefined ? 0 : LENGTHS[family]
}

function parseBlock(bytes: Buffer): ProxyHeader | string {
  const command = bytes[SIGNATURE.length] === LOCAL ? 'LOCAL' : 'PROXY'
  const kind = bytes.readUInt8(SIGNATURE.length + 1)
  const start = HEAD + (command === 'LOCAL' ? 0 : addressLength(kind))
  const nobody = { version: 2, command, transport: undefined, source: null, destination: null } as const
  const tlvs = tlvsIn(bytes.subarray(start))
  // Where no addresses count, some may be all the same, of which nobody knows what they are.
  if (start === HEAD && (kind !== 0 || typeof tlvs === 'string')) return { ...nobody, tlvs: [] }
  if (typeof tlvs === 'string') return tlvs
  const flaw = checkChecksum(bytes, start)
  if (flaw !== undefined) return flaw
  if (start === HEAD) return { ...nobody, tlvs }
  const [source, destination] = addressesIn(bytes.subarray(HEAD, start), FAMILIES[kind >> 4])
  return { version: 2, command, transport: TRANSPORTS[kind & 15], source, destination, tlvs }
}

function addressesIn(bytes: Buffer, family: typeof FAMILIES[number]): [Address | null, Address | null] {
  if (family === 'unix') return [pathIn(bytes.subarray(0, PATH)), pathIn(bytes.subarray(PATH))]
  const length = family === 'inet' ? 4 : 16
  const address = (i: 0 | 1): Address | null => {
    const wire = new Uint8Array(28)
    wire[0] = family === 'inet' ? 4 : 6
    wire.set(bytes.subarray(2 * length + 2 * i, 2 * length + 2 * i + 2), 2)
    wire.set(bytes.subarray(length * i, length * (i + 1)), 4)
    return addressFrom(wire)
  }
  return [address(0), address(1)]
}

/** The path that a NUL ends, or the bytes do; an abstract name begins with one. */
function pathIn(bytes: Buffer): Address | null {
  const abstract = bytes[0] === 0
  let length = abstract ? bytes.length : bytes.indexOf(0)
  if (length < 0) length = bytes.length
  while (abstract && length > 0 && bytes[length - 1] === 0) length--
  const wire = new Uint8Array(4 + length)
  wire[0] = 1
  wire[3] = length
  wire.set(bytes.subarray(0, length), 4)
  return addressFrom(wire)
}

function block(ends: Ends, transport: 'stream' | 'dgram', list: Buffer): Buffer {
  const addresses = ends === null ? Buffer.alloc(0) : addressBytes(...ends)
  const length = addresses.length + list.length
  if (length > LONGEST_BLOCK) throw rangeError('options.tlvs', `such that they and the addresses have at most ${LONGEST_BLOCK} bytes`, length)
  const head = Buffer.alloc(4)
  head[0] = ends === null ? LOCAL : PROXY
  head[1] = ends === null ? 0 : (FAMILIES.indexOf(ends[0].family) << 4) | TRANSPORTS.indexOf(transport)
  head.writeUInt16BE(length, 2)
  const header = Buffer.concat([SIGNATURE, head, addresses, list])
  putChecksum(header, HEAD + addresses.length)
  return header
}

function addressBytes(source: Address, destination: Address): Buffer {
  const [from, to] = [Address.wire(source), Address.wire(destination)]
  if (source.family === 'unix') return Buffer.concat([from, to].map(wire => Buffer.concat([wire.subarray(4)], PATH)))
  const end = source.family === 'inet' ? 8 : 20
  return Buffer.concat([from.subarray(4, end), to.subarray(4, end), from.subarray(2, 4), to.subarray(2, 4)])
}

// Ends

/** The two ends of a connection, of one family; `null`: unknown. */
type Ends = readonly [source: Address, destination: Address] | null

function endsOf({ source, destination }: ProxyHeaderOptions): Ends {
  if (source === undefined || source === null || destination === undefined || destination === null) return null
  const ends = [plain(Address.from(source)), plain(Address.from(destination))] as const
  const families = ends.map(end => end.family)
  if (families[0] === families[1]) return ends
  if (families.includes('unix')) throw valueError('options.destination', `must be of family '${families[0]}', as the source is`, String(ends[1]))
  // As it was, if both were of one family before.
  return [mapped(ends[0]), mapped(ends[1])]
}

const MAPPED = '::ffff:'

/** An IPv4 address as such, also where it came to a socket of both families. */
function plain(address: Address): Address {
  const text = address.family === 'inet6' && address.address.startsWith(MAPPED) ? literal(address.address.slice(MAPPED.length)) : null
  return text?.family === 'inet' ? text.withPort(address.port) : address
}

function mapped(address: Address): Address {
  return address.family === 'inet' ? (literal(MAPPED + address.address) as Address).withPort(address.port) : address
}

function agrees(bytes: Uint8Array, signature: Uint8Array): boolean {
  for (let i = 0; i < bytes.length && i < signature.length; i++) if (bytes[i] !== signature[i]) return false
  return true
}
