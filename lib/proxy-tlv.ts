/**
 * What a header of the PROXY protocol, version 2, tells besides the addresses: a list of types, each with its length and its value; and
 * the checksum, which is one of them. See 2.2.1 to 2.2.8 of HAProxy's proxy-protocol.txt.
 */
import { typeError, valueError } from './errors.js'
import { checkInteger, isBytes } from './validate.js'

const TYPES = { alpn: 0x01, authority: 0x02, crc32c: 0x03, noop: 0x04, uniqueId: 0x05, ssl: 0x20, netns: 0x30 } as const
/** The types of what `ssl` has inside. */
const SSL_TYPES = {
  sslVersion: 0x21, sslCn: 0x22, sslCipher: 0x23, sslSigAlg: 0x24, sslKeyAlg: 0x25, sslGroup: 0x26, sslSigScheme: 0x27, sslClientCert: 0x28
} as const

/** The names of the registered types: PP2_TYPE_ALPN is `'alpn'`, PP2_SUBTYPE_SSL_CN, which is inside of `'ssl'`, is `'sslCn'`. */
export type ProxyTlvName = keyof typeof TYPES | keyof typeof SSL_TYPES

/** One thing that a header tells besides the addresses. */
export interface ProxyTlv {
  /** Its number, 0 to 255. 0xe0 to 0xef are for anyone: at Amazon, say, 0xea names the endpoint of a VPC. */
  readonly type: number
  /** The name of the number; `undefined`: it is not registered. */
  readonly name: ProxyTlvName | undefined
  /** Its bytes, as they came. Text is UTF-8: `String(value)`. */
  readonly value: Buffer
  /** What the value of `'ssl'` means. */
  readonly ssl?: ProxySsl
}

/** How the client is connected to the proxy by TLS. */
export interface ProxySsl {
  /** Bits: 1: by TLS; 2: the client gave a certificate in this connection; 4: in this session. PP2_CLIENT_SSL and its like. */
  readonly client: number
  /** 0: the proxy has verified the certificate, or there was none; otherwise what its library said. Ask `verified` instead. */
  readonly verify: number
  /** Whether the client gave a certificate, and the proxy has verified it. */
  readonly verified: boolean
  /** The details: `'sslVersion'`, `'sslCipher'`, `'sslCn'` (the common name of the certificate) … */
  readonly tlvs: readonly ProxyTlv[]
}

/** One thing that a header is to tell; `ProxyTlv` is one, too. */
export interface OutgoingProxyTlv {
  /** Its name, or its number. */
  type: ProxyTlvName | number
  /** Its bytes; text goes out as UTF-8. Of `'crc32c'` it is reckoned here. */
  value?: string | Uint8Array | undefined
  /** The value of `'ssl'`, where `value` is left out. */
  ssl?: { client: number; verify: number; tlvs?: readonly OutgoingProxyTlv[] | undefined } | undefined
}

const CERTIFICATE = 2 | 4
const LONGEST_UNIQUE_ID = 128
const namesOf = (types: Record<string, number>): Map<number, ProxyTlvName> => new Map(Object.entries(types).map(([name, type]) => [type, name as ProxyTlvName]))
const NAMES = namesOf(TYPES)
const SSL_NAMES = namesOf(SSL_TYPES)

/** The list in these bytes, copied; or what is wrong with it. */
export function tlvsIn(bytes: Buffer, names = NAMES): ProxyTlv[] | string {
  const tlvs: ProxyTlv[] = []
  for (let at = 0; at < bytes.length; ) {
    if (at + 3 > bytes.length) return 'a TLV ends early'
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (end > bytes.length) return 'a TLV is longer than the header'
    const tlv = tlvOf(bytes[at] as number, Buffer.from(bytes.subarray(at + 3, end)), names)
    if (typeof tlv === 'string') return tlv
    tlvs.push(tlv)
    at = end
  }
  return tlvs
}

function tlvOf(type: number, value: Buffer, names: Map<number, ProxyTlvName>): ProxyTlv | string {
  const name = names.get(type)
  if (name === 'uniqueId' && value.length > LONGEST_UNIQUE_ID) return `a unique id has more than ${LONGEST_UNIQUE_ID} bytes`
  if (name !== 'ssl') return { type, name, value }
  if (value.length < 5) return 'what is told of TLS ends early'
  const tlvs = tlvsIn(value.subarray(5), SSL_NAMES)
  if (typeof tlvs === 'string') return tlvs
  const [client, verify] = [value[0] as number, value.readUInt32BE(1)]
  return { type, name, value, ssl: { client, verify, verified: (client & CERTIFICATE) !== 0 && verify === 0, tlvs } }
}

/** Whether the header has the checksum that its list, from `start` on, says; or what is wrong. Without one it is well. */
export function checkChecksum(header: Buffer, start: number): string | undefined {
  let found: number | undefined
  for (let at = start; at < header.length; at += 3 + header.readUInt16BE(at + 1)) {
    if (header[at] !== TYPES.crc32c) continue
    if (found !== undefined) return 'there are two checksums'
    if (header.readUInt16BE(at + 1) !== 4) return 'the checksum is not of 4 bytes'
    found = at + 3
  }
  return found === undefined || header.readUInt32BE(found) === crc32c(header, found) ? undefined : 'the checksum is wrong'
}

/** The bytes of a list, with 0 for its checksum, which is added unless it is there or not wanted. Throws what is wrong with it. */
export function tlvBytes(tlvs: readonly OutgoingProxyTlv[] | undefined, checksum: boolean): Buffer {
  const parts = listed(tlvs, 'options.tlvs').map(bytesOf)
  const sums = parts.filter(([type]) => type === TYPES.crc32c).length
  if (sums > 1) throw valueError('options.tlvs', 'must have one checksum at most', tlvs)
  if (checksum && sums === 0) parts.push(part(TYPES.crc32c, Buffer.alloc(4)))
  return Buffer.concat(parts)
}

/** Puts the checksum where the list, from `start` on, has its place. */
export function putChecksum(header: Buffer, start: number): void {
  for (let at = start; at < header.length; at += 3 + header.readUInt16BE(at + 1)) {
    if (header[at] === TYPES.crc32c) header.writeUInt32BE(crc32c(header, at + 3), at + 3)
  }
}

function listed(tlvs: readonly OutgoingProxyTlv[] | undefined, name: string): readonly OutgoingProxyTlv[] {
  if (tlvs === undefined) return []
  if (!Array.isArray(tlvs)) throw typeError(name, 'an array of TLVs', tlvs)
  return tlvs as readonly OutgoingProxyTlv[]
}

function bytesOf(tlv: OutgoingProxyTlv): Buffer {
  if (typeof tlv !== 'object' || tlv === null) throw typeError('options.tlvs', 'an array of objects with type and value', tlv)
  const { value, ssl } = tlv
  const type = numberOf(tlv.type)
  if (type === TYPES.crc32c) return part(type, Buffer.alloc(4))
  if (value === undefined && ssl !== undefined) return part(type, sslBytes(ssl))
  // What needs none: NOOP.
  if (value === undefined && type === TYPES.noop) return part(type, Buffer.alloc(0))
  if (typeof value !== 'string') {
    if (!isBytes(value)) throw typeError('tlv.value', 'a string or a Uint8Array', value)
    return part(type, value)
  }
  if (!value.isWellFormed()) throw valueError('tlv.value', 'must not contain lone surrogates', value)
  return part(type, Buffer.from(value))
}

function sslBytes(ssl: NonNullable<OutgoingProxyTlv['ssl']>): Buffer {
  if (typeof ssl !== 'object' || ssl === null) throw typeError('tlv.ssl', 'an object with client and verify', ssl)
  const { client, verify, tlvs } = ssl
  checkInteger('tlv.ssl.client', client, 0, 0xff)
  checkInteger('tlv.ssl.verify', verify, 0, 0xffff_ffff)
  const head = Buffer.alloc(5)
  head[0] = client
  head.writeUInt32BE(verify, 1)
  return Buffer.concat([head, ...listed(tlvs, 'tlv.ssl.tlvs').map(bytesOf)])
}

function part(type: number, value: Uint8Array): Buffer {
  checkInteger('tlv.value.length', value.length, 0, 0xffff)
  const head = Buffer.alloc(3)
  head[0] = type
  head.writeUInt16BE(value.length, 1)
  return Buffer.concat([head, value])
}

function numberOf(type: unknown): number {
  if (typeof type !== 'string') {
    checkInteger('tlv.type', type, 0, 0xff)
    return type
  }
  const types: Record<string, number> = { ...TYPES, ...SSL_TYPES }
  if (!Object.hasOwn(types, type)) throw valueError('tlv.type', `must be one of ${Object.keys(types).join(', ')}, or a number`, type)
  return types[type] as number
}

/** One step of eight bits, for each byte; the polynomial of RFC 4960, appendix B, its bits reversed. */
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  return crc
})

/** CRC-32C of the bytes, where the four from `blank` on count as 0. */
function crc32c(bytes: Uint8Array, blank: number): number {
  let crc = 0xffff_ffff
  for (let i = 0; i < bytes.length; i++) {
    const byte = i >= blank && i < blank + 4 ? 0 : (bytes[i] as number)
    crc = (crc >>> 8) ^ (CRC[(crc ^ byte) & 0xff] as number)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
