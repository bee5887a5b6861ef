// node scripts/pack.mjs [--all | --release] [--json] [folder]: puts the packages as they are published into the folder (packages/): the
// library, and the binding for each system that it has been built for. With --all it is those that can be built here, each built first;
// what has come from elsewhere some time ago is left out. With --release none may be missing.
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildTarget, canBuild } from './addon.mjs'
import { Failure, root, run } from './step.mjs'
import { fileOf, targets, thisTarget } from './targets.mjs'

const { positionals: [folder = 'packages'], values: options } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, release: { type: 'boolean' }, json: { type: 'boolean' } }
})
const candidates = options.all ? targets.filter(canBuild) : targets
if (options.all) {
  for (const target of candidates) await buildTarget(target)
}

const addons = new Map(candidates.map(target => [target, addonOf(target)]))
const built = targets.filter(target => addons.get(target) !== undefined)
const lacking = targets.filter(target => !built.includes(target))
if (options.release && lacking.length > 0) throw new Failure(`No release without the bindings for ${names(lacking)}`)

const stage = mkdtempSync(join(tmpdir(), 'socket2-pack-'))
const staged = []
try {
  staged.push(stageLibrary(), ...built.map(stageBinding))
  mkdirSync(resolve(folder), { recursive: true })
  const output = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(folder), ...staged], { cwd: stage })
  report(Object.values(JSON.parse(output))) // a list up to npm 11, and from npm 12 on by name
} finally {
  rmSync(stage, { recursive: true, force: true })
}

/** What a target's binding has been built into, if it has. Without options the developer's own, which is never older than the rest. */
function addonOf(target) {
  const released = join(root, 'npm', target.platform, fileOf(target))
  const own = join(root, fileOf(target))
  const isOwn = target === thisTarget() && !options.all && !options.release
  return [...isOwn ? [own] : [], released].find(path => existsSync(path))
}

/** The library: what it needs to run, and nothing that only its development needs. */
function stageLibrary() {
  const library = manifest(root)
  for (const key of ['scripts', 'devDependencies', 'overrides', 'ava', 'napi']) delete library[key]
  // The repository's own package.json names no bindings: they are not published yet when it is installed.
  library.optionalDependencies = Object.fromEntries(targets.map(target => [bindingOf(target).name, library.version]))
  const place = join(stage, library.name)
  for (const path of ['README.md', 'LICENSE', ...library.files]) cpSync(join(root, path), join(place, path), { recursive: true })
  writeFileSync(join(place, 'package.json'), `${JSON.stringify(library, null, 2)}\n`)
  return place
}

/** The package of a binding: its folder in npm/, with the addon. */
function stageBinding(target) {
  const { name, version, main } = bindingOf(target)
  const library = manifest(root)
  if (version !== library.version) throw new Failure(`${name} is ${version}, but the library is ${library.version}`)
  const place = join(stage, target.platform)
  mkdirSync(place)
  for (const path of ['package.json', 'README.md']) copyFileSync(join(root, 'npm', target.platform, path), join(place, path))
  copyFileSync(join(root, 'LICENSE'), join(place, 'LICENSE'))
  copyFileSync(addons.get(target), join(place, main))
  return place
}

/** A table of what has been packed, and what has not; or for scripts the tarballs, with their package.json and the files within. */
function report(packed) {
  if (options.json) {
    const manifests = new Map(staged.map(manifest).map(manifest => [manifest.name, manifest]))
    console.log(JSON.stringify(packed.map(({ name, filename, files }) => ({
      file: join(resolve(folder), filename), manifest: manifests.get(name), files: files.map(({ path }) => path)
    }))))
    return
  }
  const width = Math.max(...packed.map(({ name }) => name.length))
  console.log(`\n${'package'.padEnd(width)}   packed  unpacked  files`)
  for (const { name, size, unpackedSize, files } of packed) {
    console.log(`${name.padEnd(width)} ${kilobytes(size)} ${kilobytes(unpackedSize).padStart(9)} ${String(files.length).padStart(6)}`)
  }
  const [later, elsewhere] = [lacking.filter(canBuild), lacking.filter(target => !canBuild(target))]
  if (later.length > 0) console.log(`\nNot built yet; --all does that: ${names(later)}`)
  if (elsewhere.length > 0) console.log(`\nCannot be built on this system, only on their own: ${names(elsewhere)}`)
}

function bindingOf(target) {
  return manifest(join(root, 'npm', target.platform))
}

function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function names(targets) {
  return targets.map(({ platform }) => platform).join(', ')
}

function kilobytes(bytes) {
  return `${Math.round(bytes / 1024)} KB`.padStart(8)
}
