// Rust's standard library for other systems: from rustup where that works, and otherwise compiled along from its sources.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { debianPackages, unpackDebian } from './debian.mjs'
import { Failure, root, run } from './step.mjs'

/**
 * The environment and the arguments cargo needs to build for this target; with `tests`, test harnesses too.
 * SOCKET2_STD=rustup, source or debian allows only that one of the ways below.
 */
export async function toolchain(triple, { tests = false } = {}) {
  const crates = `-Zbuild-std=std,panic_unwind${tests ? ',test' : ''}`
  const allowed = way => [undefined, '', way].includes(process.env.SOCKET2_STD)

  if (allowed('rustup') && await installed(triple)) return { env: {}, args: [] }
  if (allowed('source')) {
    const sources = await stdSources()
    if (sources !== null) return { env: { RUSTC_BOOTSTRAP: '1', __CARGO_TESTS_ONLY_SRC_ROOT: sources }, args: [crates] }
  }
  if (allowed('debian') && existsSync('/usr/bin/apt-get')) {
    // Debian's newest Rust, whose sources come with it.
    await debianPackages('rustc-web', 'cargo-web', 'rust-web-src')
    return { env: { RUSTC_BOOTSTRAP: '1', PATH: `/usr/bin:${process.env.PATH}` }, args: [crates] }
  }
  throw new Failure(`Rust's standard library for ${triple} is missing. Do one of these:
  - rustup target add ${triple}
  - rustup component add rust-src
  - on Debian, install the package rust-src of the version that "rustc --version" tells`)
}

let rustupWorks = true

/** Whether the target's compiled standard library is there, or can be had within a minute. */
async function installed(triple) {
  const library = join(await sysroot(), 'lib/rustlib', triple, 'lib')
  if (!existsSync(library) && rustupWorks) {
    const options = { timeout: 60_000, env: { ...process.env, RUSTUP_MAX_RETRIES: '0' } }
    rustupWorks = await run('rustup', ['target', 'add', triple], options).then(() => true, () => false)
  }
  return existsSync(library)
}

/** The folder of the standard library's sources, of exactly the version of the compiler; null when there is none. */
async function stdSources() {
  const component = join(await sysroot(), 'lib/rustlib/src/rust/library')
  if (existsSync(component)) return component
  const version = /^rustc (\S+)/.exec(await run('rustc', ['--version']))[1]
  const folder = join(root, '.cache/rust-src', version)
  const found = await unpackDebian(['rust-src'], folder, { suites: ['trixie-backports', 'sid'], version })
  return found ? join(folder, `usr/src/rustc-${version}/library`) : null
}

async function sysroot() {
  return (await run('rustc', ['--print', 'sysroot'])).trim()
}
