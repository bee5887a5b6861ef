// node scripts/electron.mjs [--packaged]: the example app for Electron with the packages as they are published, run by Electron; with
// --packaged once more after electron-builder has packaged it. It needs Electron's download, and on Linux a screen or xvfb-run.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Failure, node, root, run, step } from './step.mjs'
import { thisTarget } from './targets.mjs'

const { values: { packaged } } = parseArgs({ options: { packaged: { type: 'boolean', default: false } } })
const home = join(root, '.cache/electron')
const app = join(home, 'app')
const electron = join(app, 'node_modules/electron')

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) throw new Failure(`Electron's own package needs Node 22.12: this is ${process.versions.node}`)

let packages = []
await step('packing the packages', {}, async () => {
  const packed = JSON.parse(await node(join(root, 'scripts/pack.mjs'), ['--json', join(home, 'packages')]))
  const wanted = ['socket2', `@socket2/binding-${thisTarget()?.platform}`]
  packages = packed.filter(({ manifest }) => wanted.includes(manifest.name)).map(({ file }) => file)
})
await step('installing the example app', {}, async () => {
  rmSync(app, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  cpSync(join(root, 'examples/electron'), app, { recursive: true, filter: path => !/[\\/](node_modules|packaged)$/.test(path) })
  await run('npm', ['install', '--ignore-scripts', '--no-fund', '--no-audit', ...packages], { cwd: app })
})
await step('fetching Electron', {}, () => node(join(electron, 'install.js'), [], { cwd: app }))
await show('running the app', process.execPath, [join(electron, 'cli.js'), '.'])

if (packaged) {
  await step('packaging it', {}, () => node(join(app, 'node_modules/electron-builder/cli.js'), ['--dir', '--publish', 'never'], { cwd: app }))
  const [resources, program] = packagedApp()
  if (!existsSync(join(resources, 'app.asar.unpacked/node_modules/@socket2'))) throw new Failure('The binding was packed into app.asar')
  await show('running the packaged app', program, [])
}

/** Runs the app and shows what it reports. */
async function show(title, program, args) {
  const all = process.platform === 'linux'
    // Chromium's own sandbox needs a helper that belongs to root, which what npm installs does not.
    ? [...process.env.DISPLAY ? [] : ['xvfb-run', '-a'], program, ...args, '--no-sandbox']
    : [program, ...args]
  let output = ''
  await step(title, {}, async () => { output = await run(all[0], all.slice(1), { cwd: app }) })
  console.log(output.trim().replaceAll(/^/gm, '  '))
  if (!/^all ok$/m.test(output)) throw new Failure('It did not say that all was right')
}

/** Where the packaged app keeps its files, and its program. */
function packagedApp() {
  const output = join(app, 'packaged/builder')
  const folder = readdirSync(output, { withFileTypes: true }).find(entry => entry.isDirectory() && /unpacked$|^mac/.test(entry.name))?.name ?? ''
  const bundle = join(output, folder, 'socket2-example.app/Contents')
  if (process.platform === 'darwin') return [join(bundle, 'Resources'), join(bundle, 'MacOS/socket2-example')]
  const name = process.platform === 'win32' ? 'socket2-example.exe' : 'socket2-example'
  return [join(output, folder, 'resources'), join(output, folder, name)]
}
