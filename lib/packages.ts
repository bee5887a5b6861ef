/** The packages that hold the binding, one per system: which there are, which are installed, and what is in their files. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** What is read of our own package.json. `pack` writes the bindings into it; the one in the repository names none. */
interface Manifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A platform package as it is installed. */
export interface Installed {
  readonly name: string
  readonly version: string
  /** The path of its addon. */
  readonly file: string
}

export const manifest = require('../../package.json') as Manifest

/** Whether this code has been taken out of its package and put into a bundle, from where no package can be found. */
export const bundled = typeof __filename !== 'string' || !/[\\/]dist[\\/]lib[\\/]packages\.js$/.test(__filename)

/** The package for this system and processor by name; on Linux two, one for each C library. */
export function fitting(): string[] {
  const start = `@socket2/binding-${process.platform}-${process.arch}`
  return names().filter(name => name === start || name.startsWith(`${start}-`))
}

/** All packages by name. */
export function names(): string[] {
  return Object.keys(manifest.optionalDependencies ?? {})
}

/** The package for this system and processor, if it is installed: of two for different C libraries the one that the loader takes. */
export function ours(): Installed | undefined {
  const found = fitting().flatMap(name => find(name) ?? [])
  return found.length > 1 ? found.find(({ name }) => name.endsWith('-musl') === isMusl()) : found[0]
}

/** Whether the C library is musl; told as the loader tells it. */
function isMusl(): boolean {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch {
    return glibc() === undefined
  }
}

/** The version of glibc here; undefined with another C library, and in Bun and Deno, which need not have a report. */
export function glibc(): string | undefined {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  return report?.header?.glibcVersionRuntime
}

/** The package of that name, if it is installed where the loader looks for it. */
export function find(name: string): Installed | undefined {
  if (bundled) return undefined
  try {
    const path = createRequire(__filename).resolve(`${name}/package.json`)
    // Read, not required: by `import`, with yarn's loader in it, Node 22 could not require it a second time, which the binding's loader does.
    const { version, main } = JSON.parse(readFileSync(path, 'utf8')) as { version: string; main: string }
    return { name, version, file: join(dirname(path), main) }
  } catch {
    return undefined
  }
}

/** The names of all platform packages that are installed, for whatever system. */
export function installed(): string[] {
  if (bundled) return []
  const folders = createRequire(__filename).resolve.paths('@socket2/binding') ?? []
  const found = folders.map(folder => join(folder, '@socket2')).filter(folder => existsSync(folder)).flatMap(folder => readdirSync(folder))
  return found.filter(name => name.startsWith('binding-')).map(name => `@socket2/${name}`)
}

/** Whether an ELF file lacks its end, where the table of its sections is. The other systems' own loaders notice that. */
export function cutShort(file: string): boolean {
  return read(file, (head, size) => {
    if (!isElf(head) || head.length < 64) return false
    const table = Number(head.readBigUInt64LE(40))
    return table + head.readUInt16LE(58) * head.readUInt16LE(60) > size
  }) ?? false
}

/** The system and processor that an addon is made for, such as 'linux arm64'; undefined when it is none, or no file. */
export function madeFor(file: string): string | undefined {
  return read(file, head => {
    if (isElf(head) && head.length >= 64) return named(elfSystem(head[7]), head.readUInt16LE(18))
    if (head.length >= 8 && head.readUInt32LE(0) === 0xfeedfacf) return named('darwin', head.readUInt32LE(4))
    if (head.length < 64 || head.toString('latin1', 0, 2) !== 'MZ') return undefined
    const header = head.readUInt32LE(60)
    return header + 6 <= head.length ? named('win32', head.readUInt16LE(header + 4)) : undefined
  })
}

/** Most ELF files leave out which system they are for; then it is this one, if it has ELF at all. */
function elfSystem(abi: number | undefined): string {
  if (abi === 9) return 'freebsd'
  return abi !== 3 && process.platform === 'freebsd' ? 'freebsd' : 'linux'
}

/** What ELF, Mach-O and PE call the processors. */
const processors = new Map([
  [62, 'x64'], [183, 'arm64'], [3, 'ia32'], [40, 'arm'], [243, 'riscv64'],
  [0x0100_0007, 'x64'], [0x0100_000c, 'arm64'],
  [0x8664, 'x64'], [0xaa64, 'arm64'], [0x014c, 'ia32']
])

function named(system: string, processor: number): string {
  return `${system} ${processors.get(processor) ?? `processor ${processor}`}`
}

function isElf(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === '\u007fELF' && head[4] === 2
}

/** Calls `look` with the first bytes of a file and its length, if it can be read. */
function read<T>(file: string, look: (head: Buffer, size: number) => T): T | undefined {
  let fd: number | undefined
  try {
    fd = openSync(file, 'r')
    const head = Buffer.alloc(1024)
    return look(head.subarray(0, readSync(fd, head)), fstatSync(fd).size)
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
