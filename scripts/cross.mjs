// npm run cross [-- platform …]: builds the bindings for all systems that can be built here, checks what they ask of those
// systems, lints the code of the other ones, and runs the suite with what is built for this system and for the Linuxes to be had here.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildTarget, canBuild, oldest } from './addon.mjs'
import { describe } from './binary.mjs'
import { emulation, omissions, whyNot } from './emulate.mjs'
import { setUp } from './set-up.mjs'
import { fileOf } from './specs.mjs'
import { bin, Failure, node, root, run, step } from './step.mjs'
import { Tally } from './tally.mjs'
import { targets, thisTarget } from './targets.mjs'
import { toolchain } from './toolchain.mjs'

const names = process.argv.slice(2)
const unknown = names.filter(name => targets.every(({ platform }) => platform !== name))
if (unknown.length > 0) throw new Failure(`There is no ${unknown.join(', ')}, but: ${targets.map(({ platform }) => platform).join(', ')}`)

/** What each system has by itself, as the names of libraries. */
const libraries = {
  glibc: /^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$/,
  musl: /^libc\.so$/,
  darwin: /^\/usr\/lib\/(libSystem\.B|libiconv\.2|libcharset\.1)\.dylib$/,
  freebsd: /^(libc\.so\.7|libm\.so\.5|libthr\.so\.3|libgcc_s\.so\.1)$/,
  // Not Microsoft's C library, which Windows itself lacks.
  win32: /^(kernel32|ntdll|ws2_32|iphlpapi|advapi32|userenv|bcrypt|bcryptprimitives|api-ms-win-core-[a-z0-9-]+)\.dll$/
}

const tally = new Tally()
for (const target of targets.filter(({ platform }) => names.length === 0 || names.includes(platform))) {
  if (canBuild(target)) {
    const path = await buildTarget(target)
    await check(target, path)
    await suite(target, path)
  } else {
    tally.skip(`the binding for ${target.platform}: it can be built on ${target.system} only; here its code is checked and linted`)
  }
  if (target.system !== process.platform) await lint(target)
}
tally.end()

/** Fails unless the file is for the target, and loads on the oldest system it is meant for with nothing but that system. */
async function check({ platform, system, cpu, libc }, path) {
  const found = await describe(path)
  const format = { darwin: 'Mach-O', win32: 'PE' }[system] ?? 'ELF'
  const foreign = found.libraries.filter(name => !libraries[libc ?? system].test(name))
  const wrong = [
    found.format !== format && `it is ${found.format}, not ${format}`,
    found.machine !== cpu && `it is for ${found.machine}`,
    foreign.length > 0 && `it needs ${foreign.join(', ')}`,
    libc === 'glibc' && newer(found.glibc, oldest.glibc) && `it needs glibc ${found.glibc}`,
    system === 'darwin' && newer(found.macos, oldest.macos) && `it needs macOS ${found.macos}`,
    system === 'darwin' && cpu === 'arm64' && !found.signed && 'it has no signature, or a broken one'
  ].filter(Boolean)
  if (wrong.length > 0) throw new Failure(`${platform}: ${wrong.join('; ')}`)
  const since = libc === 'glibc' ? `, glibc ${found.glibc}` : system === 'darwin' ? `, macOS ${found.macos}` : ''
  console.log(`  ${platform}: ${Math.round(found.size / 1024)} KB${since}${found.libraries.length > 0 ? `, needs ${found.libraries.join(' ')}` : ''}`)
}

/** Runs the suite as on the target, or says why not. */
async function suite(target, path) {
  if (target === thisTarget()) return here(target, path)
  const reason = await whyNot(target)
  if (reason !== undefined) return tally.skip(`the suite on ${target.platform}: ${reason}`)
  const attempt = await emulation(target, path)
  for (const omission of omissions(target)) tally.skip(`on ${target.platform}: ${omission}`)
  await tally.ava(`tests on ${target.platform}`, attempt)
}

/** Runs the suite on this machine itself. npm test does that, too, but with a binding that is built for here only, by other tools. */
async function here({ platform }, path) {
  const without = ['package', 'install']
  tally.skip(`on ${platform}: ${without.join(', ')} (packages are packed and installed alike, whichever binding is in them)`)
  await setUp([])
  const files = [fileOf('*'), ...without.map(spec => `!${fileOf(spec)}`)]
  await tally.ava(`tests on ${platform}`, () => node(bin.ava, files, { env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: path } }))
}

/** Lints the code as compiled for the target, with its tests. */
async function lint({ platform, triple }) {
  const { env, args } = await toolchain(triple, { tests: true })
  const stamp = `.cache/cross/${platform}.linted`
  await step(`linting for ${platform}`, {
    inputs: ['crates', 'Cargo.toml', 'Cargo.lock', 'scripts/cross.mjs'],
    outputs: [stamp]
  }, async () => {
    const clippy = (...which) => run('cargo', [
      'clippy', '-q', ...which, '--all-features', '--target', triple, '--target-dir', join(root, 'target/lint'), ...args, '--', '-D', 'warnings'
    ], { env: { ...process.env, ...env } })
    await clippy('-p', 'socket2-core', '--all-targets')
    await clippy('-p', 'socket2-node')
    mkdirSync(join(root, '.cache/cross'), { recursive: true })
    writeFileSync(join(root, stamp), '')
  })
}

function newer(version, than) {
  const [a, b] = [version, than].map(text => text.split('.').map(Number))
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1])
}
