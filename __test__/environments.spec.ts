// Several environments in one process, and what Electron asks of an addon: what can be shown of it without its binary.
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import * as socket2 from 'socket2'
import { child, rounds, unless, wine } from './_util.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'socket2-environments-'))
test.after.always('clean up', () => rmSync(temporary, { recursive: true, force: true }))

/** Nothing is left, or nobody can tell. */
interface Left { left: { threads: number; descriptors: number } | null; images: number | null }
const nothing = { threads: 0, descriptors: 0 }

// Environments that come and go

test.serial('loaded in workers only, it comes and goes with each of them, however they end, and leaves nothing', async t => {
  const { echoes, left, images } = await environments<Left & { echoes: number }>(t, 'only in workers', rounds(12))
  t.is(echoes, rounds(12))
  t.deepEqual(left ?? nothing, nothing)
  t.is(images ?? 1, 1, 'it is mapped once')
})

test.serial('the main thread goes on while others load it, use it and end, several at a time', async t => {
  const { said, left, images } = await environments<Left & { said: string[] }>(t, 'main and workers', rounds(5))
  t.deepEqual(said, ['still here', 'echo'])
  t.deepEqual(left ?? nothing, nothing)
  t.is(images ?? 1, 1)
})

test.serial('an environment that has loaded it 12 times, with all of them in use, ends and leaves nothing', async t => {
  const { echoes, left, images } = await environments<Left & { echoes: string[] }>(t, 'reload', rounds(2))
  t.deepEqual(echoes, Array.from({ length: rounds(2) }, () => 'echo'))
  t.deepEqual(left ?? nothing, nothing)
  t.is(images ?? 1, 1)
})

test.serial('an environment that is torn down while events and names are delivered leaves nothing', async t => {
  const { left, images } = await environments<Left>(t, 'flood', rounds(12))
  t.deepEqual(left ?? nothing, nothing)
  t.is(images ?? 1, 1)
})

test('copies in contexts of their own talk to each other, and take the typed arrays of other contexts', async t => {
  t.deepEqual(await environments(t, 'contexts'), { copies: 3, said: ['echo', 'echo', 'echo'] })
})

test('a second copy over the binding that is loaded, as Jest makes one for each test file, works beside the first', async t => {
  t.deepEqual(await environments(t, 'second copy'), { copies: 2, said: ['echo', 'echo', 'echo'] })
})

// What Electron asks for

const nm = process.platform === 'darwin' ? ['-u'] : ['-D', '--undefined-only']
const noNames = spawnSync('nm', ['--version']).error !== undefined && 'there is no nm here'
unless(noNames || (process.platform === 'win32' && 'nm reads no DLL'))('the binding asks for nothing of V8, libuv or Node itself', async t => {
  const { sharedObjects } = report()
  const binding = sharedObjects.find(path => /socket2\.[\w-]+\.node$/.test(path))
  t.truthy(binding, 'the binding is among what this process has loaded')
  const symbols = (await promisify(execFile)('nm', [...nm, binding!])).stdout.trim().split('\n').map(line => line.split(' ').at(-1)!)
  t.true(symbols.some(name => /^_?socket(@|$)/.test(name)), 'it asks for the system\'s sockets')
  // V8 is all C++, whose names begin with _Z (on macOS __Z).
  t.deepEqual(symbols.filter(name => /^_{0,2}(Z|v8|cppgc|uv_|node_(?!api_))/.test(name)), [])
})

const shim = join(temporary, 'no-external-buffers.node')
const noShim = buildShim()

unless(noShim)('where no external buffer is allowed, as in Electron, everything that must hold under every runtime holds', async t => {
  const { stdout, stderr } = await refusing(fileURLToPath(new URL('_child/conformance.js', import.meta.url)))
  t.regex(stdout, /^\d+ passed, 0 failed, \d+ skipped$/m)
  t.regex(stderr, /^asked for ([2-9]|\d\d+), refused 0$/m, 'the binding has been loaded with these functions, and never calls them')
})

unless(noShim)('external buffers are really refused there', async t => {
  const control = ['--print', 'require(process.argv[1])', shim]
  t.is((await promisify(execFile)(process.execPath, control)).stdout, '0\n')
  t.is((await refusing(...control)).stdout, '22\n')
})

// The example for Electron, as far as Node takes it

const example = join(root, 'examples/electron')

test('the echo of the Electron example works', async t => {
  const { echo } = createRequire(import.meta.url)(join(example, 'echo.cjs')) as { echo: (library: typeof socket2) => Promise<string> }
  t.regex(await echo(socket2), /^tcp, udp, lookup/)
})

test('what the Electron example runs as its utility process answers as a worker does', async t => {
  // Below the root the library is known by its name, without being installed.
  const app = mkdtempSync(join(root, 'build/electron-'))
  for (const name of ['background.mjs', 'echo.cjs']) cpSync(join(example, name), join(app, name))
  const worker = new Worker(pathToFileURL(join(app, 'background.mjs')))
  t.teardown(async () => {
    await worker.terminate()
    rmSync(app, { recursive: true, force: true })
  })
  const [{ did, error }] = await once(worker, 'message') as [{ did?: string; error?: string }]
  t.regex(did ?? error ?? '', /^tcp, udp, lookup/)
})

for (const name of ['main.mjs', 'renderer.cjs']) {
  unless(wine > 0 && 'it is parsed alike everywhere')(`${name} of the Electron example can be parsed`, async t => {
    await t.notThrowsAsync(promisify(execFile)(process.execPath, ['--check', join(example, name)]))
  })
}

test('the Electron example leaves the binding outside of its archive, whoever packages it', t => {
  const { build, config } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8')) as {
    build: { asarUnpack: string[] }
    config: { forge: { packagerConfig: { asar: { unpack: string } } } }
  }
  t.deepEqual(build.asarUnpack, ['**/*.node'])
  t.is(config.forge.packagerConfig.asar.unpack, '**/*.node')
})

async function environments<T>(t: ExecutionContext, name: string, times = 1): Promise<T> {
  const { code, signal, stdout, stderr } = await child(t, 'environments', [name, `${times}`])
  t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
  return JSON.parse(stdout) as T
}

/** Runs Node with the functions that make external buffers replaced. */
function refusing(...args: string[]) {
  return promisify(execFile)(process.execPath, args, { env: { ...process.env, LD_PRELOAD: shim } })
}

/** Builds what replaces them; the reason when that cannot be done here. */
function buildShim(): string | false {
  if (report().header.glibcVersionRuntime === undefined) return 'only where glibc is can functions be replaced like this'
  const { error, status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', shim, join(root, '__test__/_child/no-external-buffers.c')])
  if (error) return 'there is no C compiler here'
  if (status !== 0) throw new Error(String(stderr))
  return false
}

function report() {
  return process.report.getReport() as { header: { glibcVersionRuntime?: string }; sharedObjects: string[] }
}
