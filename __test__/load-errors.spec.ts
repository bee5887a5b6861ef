// What a broken installation says. Each is made for real: the library as it is published, in a folder of its own, with a
// platform package beside it that is missing, damaged, another's … and a process that tries to load it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { tcp } from 'socket2'
import { unless } from './_util.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { version, ...rest } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }

/** The addon that this very process has loaded, and the package that is to hold it. */
tcp().close()
const addon = Object.keys(createRequire(import.meta.url).cache).find(path => /socket2\.[\w-]+\.node$/.test(path))!
const ours = packageOf(basename(addon))
const platforms = ['darwin-arm64', 'linux-arm64-gnu', 'linux-arm64-musl', 'linux-x64-gnu', 'linux-x64-musl', 'win32-x64-msvc']
const published = [...new Set([ours, ...platforms].map(name => name.replace(/^(?!@)/, '@socket2/binding-')))]

test('without its platform package it names the package, and what may have left it out', async t => {
  const { code, message, cause } = await load(t, await folder(t))
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.startsWith(`socket2 cannot be loaded: the package ${ours} is missing.`), message)
  t.regex(message!, /--omit=optional.*npm\/cli\/issues\/4828/)
  t.regex(message!, /remove node_modules and package-lock\.json and install again/)
  t.regex(cause!, /^Cannot find native binding/)
})

test('import rejects with the same error that require throws, and it names the mend in both', async t => {
  const place = await folder(t)
  const [required, imported] = [await load(t, place), await load(t, place, { how: "import('socket2')" })]
  t.is(required.code, 'ERR_SOCKET2_BINDING')
  t.deepEqual({ ...imported, cause: '' }, { ...required, cause: '' })
})

test('with the package of another system in its place it says that node_modules was brought here', async t => {
  const place = await folder(t)
  const other = published.find(name => name !== ours)!
  await putPackage(place, other, await readFile(addon))
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.includes(`${ours} is missing, and in its place there is ${other}, for another system`), message)
  t.regex(message!, new RegExp(`npm install --os=${process.platform} --cpu=${process.arch}`))
})

test('a file that is no addon at all is called damaged', async t => {
  const place = await folder(t)
  const file = await putPackage(place, ours, Buffer.from('<html>502 Bad Gateway</html>'.repeat(9)))
  const { code, message, cause } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.includes(`${file} is damaged`), message)
  t.regex(message!, /Remove node_modules and install again/)
  t.truthy(cause)
})

test('a file whose end is missing is called damaged, and does not end the process', async t => {
  const place = await folder(t)
  const whole = await readFile(addon)
  const file = await putPackage(place, ours, whole)
  const lengths = [0, 50, 5000, whole.length / 2, whole.length * 0.95].map(Math.floor)
  for (const { code, message } of await loads(t, place, await replacing(place, file, lengths.map(length => whole.subarray(0, length))))) {
    t.is(code, 'ERR_SOCKET2_BINDING')
    t.true(message!.includes(`${file} is damaged`), message)
  }
})

test('what the system said of the file is told, whatever words are in its path', async t => {
  const place = await folder(t, 'wasim/Cannot find/app')
  const file = await putPackage(place, ours, withoutExports(await readFile(addon)))
  const { message } = await load(t, place)
  t.regex(message!, /may not be loaded: (?!Cannot find)/)
  t.true(message!.includes(file), message)
})

test('a package without its file is told from a package that is missing', async t => {
  const place = await folder(t)
  const file = await putPackage(place, ours, await readFile(addon))
  await rm(file)
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.includes(`${file} is not there`), message)
})

test('an addon made for another processor or system is named as such', async t => {
  const foreign: [target: string, bytes: Buffer][] = [
    forAnotherProcessor(await readFile(addon)),
    ['linux arm64', elf(183)], ['linux riscv64', elf(243)], ['darwin arm64', machO(0x0100_000c)], ['win32 arm64', pe(0xaa64)]
  ]
  const here = `${process.platform} ${process.arch}`
  const others = foreign.filter(([target]) => target !== here)
  const place = await folder(t)
  const file = await putPackage(place, ours, await readFile(addon))
  const outcomes = await loads(t, place, await replacing(place, file, others.map(([, bytes]) => bytes)))
  for (const [i, { code, message }] of outcomes.entries()) {
    t.is(code, 'ERR_SOCKET2_BINDING')
    t.true(message!.includes(`${file} is made for ${others[i]![0]}, and this is ${here}.`), message)
  }
})

test('a system that no binding is built for is named, with those that there are', async t => {
  const place = await folder(t)
  const [{ code, message }] = await loads(t, place, ["Object.defineProperty(process, 'arch', { value: 'mips' })"])
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.includes(`there is no binding for ${process.platform} mips, only for `), message)
  for (const name of published) t.true(message!.includes(name.replace('@socket2/binding-', '')))
})

test('a platform package of another version is refused, with both versions', async t => {
  const place = await folder(t)
  await putPackage(place, ours, await readFile(addon), '0.0.1')
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.true(message!.includes(`${ours} is version 0.0.1, and socket2 is version ${version}`), message)
})

test('a runtime that is too old is told its version and the one that is needed, and a newer one is not', async t => {
  const place = await folder(t)
  await putPackage(place, ours, await readFile(addon))
  const cases = [
    [{ node: '20.18.3' }, /needs Node 20\.19 or newer, and this is Node 20\.18\.3/],
    [{ node: '9.99.0' }, /needs Node 20\.19 or newer, and this is Node 9\.99\.0/],
    [{ node: '18.15.0', bun: '1.0.3' }, /Bun 1\.0\.3, which stands for Node 18\.15\.0\.\nInstall a newer Bun/],
    [{ node: '18.18.0', deno: '1.40.0' }, /Deno 1\.40\.0, which stands for Node 18\.18\.0\.\nInstall a newer Deno/],
    [{ node: '18.17.1', electron: '26.0.0' }, /Electron 26\.0\.0, which stands for Node 18\.17\.1/]
  ] as const
  const versions = [...cases.map(([versions]) => versions), { node: '100.0.0' }]
  const outcomes = await loads(t, place, versions.map(versions =>
    `Object.defineProperty(process, 'versions', { value: { ...versions, ...${JSON.stringify(versions)} }, configurable: true })`))
  for (const [i, [, says]] of cases.entries()) {
    t.is(outcomes[i]!.code, 'ERR_SOCKET2_BINDING')
    t.regex(outcomes[i]!.message!, says)
  }
  t.deepEqual(outcomes.at(-1), { loaded: true })
})

const onGlibc = unless(!/linux-.*-gnu\.node$/.test(addon) && 'this system has no glibc')

onGlibc('an addon that needs a newer glibc says which, which there is, and what the published ones need', async t => {
  const place = await folder(t)
  await putPackage(place, ours, replaced(await readFile(addon), 'GLIBC_2.', 'GLIBC_9.'))
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message!, /needs glibc 9\.[\d.]+, and this system has glibc 2\.\d+\.\n.*need glibc 2\.17.*musl/)
})

onGlibc('an addon that needs musl is made for another C library', async t => {
  const place = await folder(t)
  await putPackage(place, ours, replaced(await readFile(addon), 'libc.so.6\0', 'libc.so\0\0\0'))
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message!, /is made for another C library than this system's: .*libc\.so/)
})

test('inside an asar archive it says how to leave the binding outside', async t => {
  const place = await folder(t, 'resources/app.asar')
  const missing = await load(t, place)
  t.regex(missing.message!, /is missing[^]*"asarUnpack": \["\*\*\/\*\.node"\][^]*Electron Forge/)
  await putPackage(place, ours, withoutExports(await readFile(addon)))
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message!, /lies in an asar archive[^]*"asarUnpack": \["\*\*\/\*\.node"\][^]*Electron Forge/)
})

test('sources whose binding is not built ask for the build', async t => {
  const place = await folder(t)
  await write(place, 'node_modules/socket2/package.json', JSON.stringify({ ...rest, version }))
  const { code, message } = await load(t, place)
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message!, /has not been built.*\nRun: npm run build/)
})

test('a path given by NAPI_RS_NATIVE_LIBRARY_PATH is named when it is wrong', async t => {
  const place = await folder(t)
  await putPackage(place, ours, await readFile(addon))
  const { code, message } = await load(t, place, { env: { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/other.node' } })
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message!, /NAPI_RS_NATIVE_LIBRARY_PATH names \/nowhere\/other\.node, which cannot be loaded: Cannot find module[^]*unset it/)
})

test('with its platform package it loads, and a package of another system beside it does no harm', async t => {
  const place = await folder(t)
  for (const name of published.slice(0, 3)) await putPackage(place, name, await readFile(addon))
  t.deepEqual(await load(t, place), { loaded: true })
})

unless(process.platform !== 'linux' && 'only Linux has two C libraries')('with the packages for both C libraries it loads this one’s, whatever is wrong with the other', async t => {
  const place = await folder(t)
  const other = published.find(name => name !== ours && name.startsWith(`@socket2/binding-linux-${process.arch}-`))!
  await putPackage(place, ours, await readFile(addon))
  await putPackage(place, other, (await readFile(addon)).subarray(0, 5000), '0.0.1')
  t.deepEqual(await load(t, place), { loaded: true })
  await putPackage(place, ours, await readFile(addon), '0.0.2')
  t.true((await load(t, place)).message!.includes(`${ours} is version 0.0.2`))
})

/** A folder that has socket2 installed as it is published, and no platform package. */
async function folder(t: ExecutionContext, within = 'app'): Promise<string> {
  const outside = await mkdtemp(join(tmpdir(), 'socket2-load-'))
  t.teardown(() => rm(outside, { recursive: true, force: true, maxRetries: 5 }))
  const place = join(outside, within)
  const library = join(place, 'node_modules/socket2')
  await mkdir(library, { recursive: true })
  for (const part of ['dist', 'binding.cjs']) await cp(join(root, part), join(library, part), { recursive: true })
  const optionalDependencies = Object.fromEntries(published.map(name => [name, version]))
  await write(place, 'node_modules/socket2/package.json', JSON.stringify({ ...rest, version, optionalDependencies }))
  return place
}

/** Adds a platform package with that content of its addon, and says where the addon is. */
async function putPackage(place: string, name: string, bytes: Buffer, of = version): Promise<string> {
  const file = join(place, 'node_modules', name, name.replace('@socket2/binding-', 'socket2.') + '.node')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, bytes)
  await writeFile(join(dirname(file), 'package.json'), JSON.stringify({ name, version: of, main: basename(file) }))
  return file
}

interface Outcome { loaded?: true; code?: string; message?: string; cause?: string }

interface Options { how?: string; env?: NodeJS.ProcessEnv }

/** Loads socket2 in a process of its own. */
async function load(t: ExecutionContext, place: string, options: Options = {}): Promise<Outcome> {
  return (await loads(t, place, [''], options))[0]
}

/** Loads socket2 again and again in one process, each time after one of these pieces of code. It writes what came of it into a file: a process that is killed writes none. */
async function loads(t: ExecutionContext, place: string, before: readonly string[], { how = "require('socket2')", env = {} }: Options = {}): Promise<[Outcome, ...Outcome[]]> {
  await rm(join(place, 'outcomes.json'), { force: true })
  await write(place, 'main.cjs', `
    const { copyFileSync, writeFileSync } = require('fs')
    const { versions } = process
    const outcomes = []
    async function attempt(before) {
      before()
      try {
        await ${how}
        outcomes.push({ loaded: true })
      } catch ({ code, message, cause }) {
        outcomes.push({ code, message, cause: cause?.message })
      }
    }
    (async () => {
      ${before.map(code => `await attempt(() => { ${code} })`).join('\n')}
      writeFileSync('outcomes.json', JSON.stringify(outcomes))
    })()
  `)
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NAPI_RS_')))
  const process_ = spawn(process.execPath, ['main.cjs'], { cwd: place, stdio: 'ignore', env: { ...clean, ...env } })
  t.teardown(() => process_.kill('SIGKILL'))
  const ended = await once(process_, 'close') as [number | null, NodeJS.Signals | null]
  if (!existsSync(join(place, 'outcomes.json'))) throw new Error(`the process ended with ${ended.join(' ')}`)
  return JSON.parse(await readFile(join(place, 'outcomes.json'), 'utf8')) as [Outcome, ...Outcome[]]
}

/** Code for `loads` that puts each of these in the place of a file. */
async function replacing(place: string, file: string, contents: readonly Buffer[]): Promise<string[]> {
  return await Promise.all(contents.map(async (bytes, i) => {
    await writeFile(join(place, `${i}.bytes`), bytes)
    return `copyFileSync('${i}.bytes', ${JSON.stringify(file)})`
  }))
}

function write(place: string, name: string, text: string): Promise<void> {
  return writeFile(join(place, name), text)
}

function packageOf(file: string): string {
  return file.replace(/^socket2\.(.*)\.node$/, '@socket2/binding-$1')
}

/** The same file with another processor in its header. */
function forAnotherProcessor(bytes: Buffer): [target: string, bytes: Buffer] {
  const other = process.arch === 'arm64' ? 'x64' : 'arm64'
  if (process.platform === 'win32') bytes.writeUInt16LE({ x64: 0x8664, arm64: 0xaa64 }[other], bytes.readUInt32LE(60) + 4)
  else if (process.platform === 'darwin') bytes.writeUInt16LE({ x64: 7, arm64: 12 }[other], 4)
  else bytes.writeUInt16LE({ x64: 62, arm64: 183 }[other], 18)
  return [`${process.platform} ${other}`, bytes]
}

/** The same file with its code for Node-API under another name: whole, for this system, and yet no addon. */
function withoutExports(bytes: Buffer): Buffer {
  return replaced(bytes, 'napi_register_module_v1', 'nape_register_module_v1')
}

function replaced(bytes: Buffer, old: string, by: string): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = copy.indexOf(old); at >= 0; at = copy.indexOf(old, at + 1)) copy.write(by, at, 'latin1')
  return copy
}

function elf(machine: number): Buffer {
  const header = Buffer.alloc(4096)
  header.write('\u007fELF\u0002\u0001\u0001\u0003', 'latin1') // 64 bits, little-endian, for Linux
  header.writeUInt16LE(3, 16)
  header.writeUInt16LE(machine, 18)
  return header
}

function machO(processor: number): Buffer {
  const header = Buffer.alloc(4096)
  header.writeUInt32LE(0xfeed_facf, 0)
  header.writeUInt32LE(processor, 4)
  return header
}

function pe(machine: number): Buffer {
  const header = Buffer.alloc(4096)
  header.write('MZ', 'latin1')
  header.writeUInt32LE(128, 60)
  header.write('PE', 128, 'latin1')
  header.writeUInt16LE(machine, 132)
  return header
}
