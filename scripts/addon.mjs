// The native binding of one target, built into its folder in npm/: for the system this is by cargo alone, and on Linux for
// Linux, macOS and FreeBSD by zig, which brings every system's own C library along.
import { copyFileSync, renameSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pypi } from './pypi.mjs'
import { Failure, root, run, step } from './step.mjs'
import { fileOf } from './targets.mjs'
import { toolchain } from './toolchain.mjs'

/** The oldest systems that a binding must load on: 2014's glibc, and the first macOS for Apple's own processors. */
export const oldest = { glibc: '2.17', macos: '11.0' }

const linkers = ['ziglang==0.15.2', 'cargo-zigbuild==0.24.1'] // from PyPI, both as ready programs

/** Whether this machine can build a target; Windows' linker and libraries are Microsoft's, and only there. */
export function canBuild({ system }) {
  return system === process.platform || (process.platform === 'linux' && system !== 'win32')
}

/** Builds a target's binding, unless its sources are as they were, and resolves to its path. */
export async function buildTarget(target) {
  const path = `npm/${target.platform}/${fileOf(target)}`
  if (!canBuild(target)) throw new Failure(`The binding for ${target.platform} can be built on ${target.system} only`)
  const withZig = process.platform === 'linux'
  const tools = withZig ? await zig() : {}
  const { env, args } = await toolchain(target.triple)
  await step(`building the binding for ${target.platform}`, {
    inputs: ['crates', 'Cargo.toml', 'Cargo.lock', 'scripts/addon.mjs', 'scripts/toolchain.mjs'],
    outputs: [path]
  }, async () => {
    // Each way of building has a folder of its own: one with other flags would build all of the other's anew.
    const folder = join(root, 'target', withZig ? 'zig' : 'native', args.length > 0 ? 'with-std' : '')
    const triple = target.libc === 'glibc' && withZig ? `${target.triple}.${oldest.glibc}` : target.triple
    await run('cargo', [
      withZig ? 'zigbuild' : 'build', '-q', '--release', '-p', 'socket2-node', '--target', triple, '--target-dir', folder, ...args
    ], { env: { ...process.env, ...tools, ...env, PATH: pathOf(tools, env), ...flags(target) } })
    const [prefix, suffix] = { win32: ['', '.dll'], darwin: ['lib', '.dylib'] }[target.system] ?? ['lib', '.so']
    copyFileSync(join(folder, target.triple, 'release', `${prefix}socket2_node${suffix}`), join(root, `${path}.new`))
    renameSync(join(root, `${path}.new`), join(root, path)) // a Node that has it loaded keeps what it has
  })
  return join(root, path)
}

function flags({ system, libc, triple }) {
  if (system === 'darwin') return { MACOSX_DEPLOYMENT_TARGET: oldest.macos }
  const rustflags = flag => ({ [`CARGO_TARGET_${triple.toUpperCase().replaceAll('-', '_')}_RUSTFLAGS`]: flag })
  // On musl Rust links everything in unless told otherwise, and an addon must share Node's C library.
  if (libc === 'musl') return rustflags('-Ctarget-feature=-crt-static')
  // On Windows it is the other way round: there Node brings its own, and Microsoft's need not be installed.
  if (system === 'win32') return rustflags('-Ctarget-feature=+crt-static')
  return {}
}

/** The environment in which cargo finds zig and cargo-zigbuild, fetched the first time into .cache/zig. */
async function zig() {
  const home = join(root, '.cache/zig')
  const programs = join(home, linkers.join('_').replaceAll('==', '-'))
  await pypi(linkers, programs)
  return {
    CARGO_ZIGBUILD_ZIG_PATH: join(programs, 'ziglang/zig'),
    CARGO_ZIGBUILD_CACHE_DIR: join(home, 'wrappers'),
    ZIG_GLOBAL_CACHE_DIR: join(home, 'cache'),
    ZIG_LOCAL_CACHE_DIR: join(home, 'cache'),
    PATH: join(programs, 'bin')
  }
}

/** What each part wants at the front of the path, and the rest of it. */
function pathOf(...parts) {
  return [...parts.flatMap(({ PATH = [] }) => PATH), process.env.PATH].join(delimiter)
}
