// What a built binding asks of the system that loads it, read from its headers.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Failure, run } from './step.mjs'

/**
 * Its size, its machine as Node names it, the libraries it needs, and on Linux the newest version of glibc it needs, on macOS the
 * oldest system it loads on, and whether its signature holds.
 */
export async function describe(path) {
  const bytes = readFileSync(path)
  return { size: bytes.length, ...await headers(bytes, path) }
}

async function headers(bytes, path) {
  if (bytes.readUInt32BE(0) === 0x7f454c46) return elf(bytes, await run('readelf', ['-WdV', path]))
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return machO(bytes)
  if (bytes.toString('latin1', 0, 2) === 'MZ') return pe(bytes)
  return { format: 'unknown', machine: 'unknown', libraries: [] }
}

function elf(bytes, text) {
  const [, newest] = Array.from(text.matchAll(/Name: GLIBC_2\.(\d+)/g)).reduce((a, b) => Number(a[1]) >= Number(b[1]) ? a : b, [])
  return {
    format: 'ELF',
    machine: { 0x3e: 'x64', 0xb7: 'arm64' }[bytes.readUInt16LE(18)],
    libraries: Array.from(text.matchAll(/\(NEEDED\).*\[(.*)\]/g), ([, name]) => name),
    glibc: newest && `2.${newest}`
  }
}

function machO(bytes) {
  const found = {
    format: 'Mach-O', machine: { 0x1000007: 'x64', 0x100000c: 'arm64' }[bytes.readUInt32LE(4)], libraries: [], signed: false
  }
  let at = 32
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const command = bytes.subarray(at, at += bytes.readUInt32LE(at + 4))
    const kind = command.readUInt32LE(0)
    if (kind === 0xc) found.libraries.push(command.toString('utf8', command.readUInt32LE(8)).replace(/\0.*/s, ''))
    if (kind === 0x32) found.macos = `${command.readUInt16LE(14)}.${command[13]}`
    if (kind === 0x1d) found.signed = signatureHolds(bytes, command.readUInt32LE(8))
  }
  return found
}

/** Apple's processors load no code without a signature: it need be nobody's, but each page must have the hash it tells. */
function signatureHolds(bytes, start) {
  for (let i = 0; i < bytes.readUInt32BE(start + 8); i++) {
    const directory = start + bytes.readUInt32BE(start + 16 + 8 * i)
    if (bytes.readUInt32BE(directory) !== 0xfade0c02) continue
    const [hashes, pages, end] = [16, 28, 32].map(field => bytes.readUInt32BE(directory + field))
    const [length, page] = [bytes[directory + 36], 1 << bytes[directory + 39]]
    return Array.from({ length: pages }, (_, n) => {
      const hash = createHash('sha256').update(bytes.subarray(n * page, Math.min((n + 1) * page, end))).digest()
      const at = directory + hashes + n * length
      return hash.compare(bytes, at, at + length, 0, length) === 0
    }).every(Boolean)
  }
  return false
}

function pe(bytes) {
  const header = bytes.readUInt32LE(0x3c)
  const [sectionCount, optionalLength] = [6, 20].map(field => bytes.readUInt16LE(header + field))
  const optional = header + 24
  const sections = Array.from({ length: sectionCount }, (_, i) => optional + optionalLength + 40 * i)
  /** Where in the file lies what is loaded at this address. */
  const place = address => {
    for (const section of sections) {
      const [start, length, from] = [12, 16, 20].map(field => bytes.readUInt32LE(section + field))
      if (address >= start && address < start + length) return address - start + from
    }
    throw new Failure(`The address ${address} is in no section`)
  }
  const libraries = new Set()
  const imports = bytes.readUInt32LE(optional + 120) // of the 64-bit format; 0 when there are none
  const nameOf = entry => bytes.readUInt32LE(entry + 12)
  if (imports !== 0) {
    for (let entry = place(imports); nameOf(entry) !== 0; entry += 20) {
      const at = place(nameOf(entry))
      libraries.add(bytes.toString('latin1', at, bytes.indexOf(0, at)).toLowerCase())
    }
  }
  return { format: 'PE', machine: { 0x8664: 'x64', 0xaa64: 'arm64' }[bytes.readUInt16LE(header + 4)], libraries: [...libraries] }
}
