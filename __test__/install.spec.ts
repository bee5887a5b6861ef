// The packages as people get them: from a registry, by each package manager, with no install script allowed to run. The registry is
// one of the test's own, on loopback, and has the library and the packages of all systems; a package manager chooses among them by
// `os`, `cpu` and `libc`. What cannot be built here is in it without its addon: nobody on this system may ask for it.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { echo, isFor, lastLine, npmLacks, outOfReach, output, pack, root, type Manifest, type Package } from './_packages.js'
import { registry } from './_registry.js'
import type { Reason } from './_system.js'
import { unless } from './_util.js'

const temporary = await mkdtemp(join(tmpdir(), 'socket2-install-'))

interface Manager { name: string; version: string; command: string[]; reason: Reason }
interface Tools { managers: Manager[]; esbuild: string[]; packages: Package[] }

const tools = await prepare()
const reason = typeof tools === 'string' && tools
const { managers, esbuild, packages } = typeof tools === 'string' ? { managers: [], esbuild: [], packages: [] } : tools
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
test.after.always('clean up', () => rm(temporary, { recursive: true, force: true, maxRetries: 5 }))

// The flags are for managers that run scripts unless told not to; the others need none.
const ways = [
  { manager: 'npm 11', install: ['install', '--ignore-scripts', `socket2@${version}`] },
  { manager: 'npm 12', install: ['install', `socket2@${version}`] },
  { manager: 'pnpm 12', install: ['add', `socket2@${version}`] },
  { manager: 'yarn 1', install: ['add', '--ignore-scripts', `socket2@${version}`], classic: true },
  { manager: 'yarn 4', install: ['add', `socket2@${version}`], node: ['node'] },
  { manager: 'bun 1', install: ['add', `socket2@${version}`], node: [] }
]

for (const { manager, install, classic = false, node } of ways) {
  unless(reason || managerOf(manager).reason)(`${manager} installs the library with this system's binding and no other, and an echo comes back`, async t => {
    const place = await consumer(t)
    await place.run(managerOf(manager).command, install)
    // Yarn 1 fetches whatever there is before it looks for which system it is, and has never heard of `libc`.
    const got = classic ? (await readdir(join(place.folder, 'node_modules/@socket2'))).map(name => `@socket2/${name}`) : place.fetched
    const expected = packages.filter(({ manifest }) => isFor(manifest, classic)).map(({ manifest }) => manifest.name)
    t.deepEqual([...got].toSorted(), [...expected, ...classic ? [] : ['socket2']].toSorted())
    t.is(await place.run(node === undefined ? [process.execPath] : [...managerOf(manager).command, ...node], ['echo.mjs']), 'hello\n')
  })
}

for (const manager of ['npm 11', 'npm 12']) {
  unless(reason || managerOf(manager).reason)(`${manager} installs for another system when asked, here the library says so, and its lockfile serves every system`, async t => {
    const [place, other] = [await consumer(t), process.platform === 'win32' ? 'darwin' : 'win32']
    await place.run(managerOf(manager).command, ['install', '--ignore-scripts', `--os=${other}`, '--cpu=arm64', `socket2@${version}`])
    const { code, message } = await place.failure()
    t.is(code, 'ERR_SOCKET2_BINDING')
    t.regex(message, new RegExp(`in its place there is @socket2/binding-${other}-arm64`))

    await rm(join(place.folder, 'node_modules'), { recursive: true })
    await place.run(managerOf(manager).command, ['ci', '--ignore-scripts'])
    t.is(await place.run([process.execPath], ['echo.mjs']), 'hello\n')
  })

  unless(reason || managerOf(manager).reason)(`${manager} told to leave out what is optional installs no binding, and the library says so`, async t => {
    const place = await consumer(t)
    await place.run(managerOf(manager).command, ['install', '--ignore-scripts', '--omit=optional', `socket2@${version}`])
    t.deepEqual([...place.fetched], ['socket2'])
    const { code, message } = await place.failure()
    t.is(code, 'ERR_SOCKET2_BINDING')
    t.regex(message, /@socket2\/binding-[\w-]+ is missing\.\nIt is an optional dependency.*--omit=optional/)
  })
}

unless(reason)('a lockfile that lacks this system, as older versions of npm have left it, is mended by npm install', async t => {
  const place = await consumer(t)
  const lockfile = join(place.folder, 'package-lock.json')
  await place.run(managerOf('npm 11').command, ['install', '--ignore-scripts', `socket2@${version}`])
  const lock = JSON.parse(await readFile(lockfile, 'utf8')) as { packages: Record<string, Manifest> }
  for (const [path, { os }] of Object.entries(lock.packages)) if (os?.includes(process.platform)) delete lock.packages[path]
  await writeFile(lockfile, JSON.stringify(lock))
  await rm(join(place.folder, 'node_modules'), { recursive: true })
  await place.run(managerOf('npm 11').command, ['install', '--ignore-scripts'])
  t.is(await place.run([process.execPath], ['echo.mjs']), 'hello\n')
})

unless(reason)('a bundle without the binding says how to leave the library out of it, and one that leaves it out works', async t => {
  const place = await consumer(t)
  await place.run(managerOf('npm 11').command, ['install', '--ignore-scripts', `socket2@${version}`])
  const bundle = (...flags: string[]): Promise<string> => place.run(esbuild, ['main.cjs', '--bundle', '--platform=node', ...flags])
  await place.write('main.cjs', "require('socket2'); console.log('loaded')")
  await bundle('--outfile=bundle/main.js', '--external:*.node', '--external:@socket2/*', '--log-level=error')
  await rename(join(place.folder, 'node_modules'), join(place.folder, 'elsewhere'))
  const { code, message } = await place.failure('./bundle/main.js')
  t.is(code, 'ERR_SOCKET2_BINDING')
  t.regex(message, /bundler.*\n.*--external:socket2/)

  await rename(join(place.folder, 'elsewhere'), join(place.folder, 'node_modules'))
  await bundle('--outfile=bundle/main.js', '--external:socket2')
  t.is(await place.run([process.execPath], ['bundle/main.js']), 'loaded\n')
})

interface Consumer {
  folder: string
  /** The packages whose tarballs were asked for. */
  fetched: Set<string>
  write(name: string, text: string): Promise<void>
  /** What a command writes to stdout; all it wrote, when it fails. */
  run(command: readonly string[], args: readonly string[]): Promise<string>
  /** What loading a module fails with. */
  failure(module?: string): Promise<{ code: string; message: string }>
}

/** An empty project in a home of its own, with a registry of its own. */
async function consumer(t: ExecutionContext): Promise<Consumer> {
  const { url, fetched } = await registry(t, packages)
  const home = await mkdtemp(join(temporary, 'home-'))
  const folder = join(home, 'project')
  await mkdir(folder)
  const env: NodeJS.ProcessEnv = { ...clean(process.env), HOME: home, USERPROFILE: home, APPDATA: home, LOCALAPPDATA: home, TMPDIR: home }

  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text)
  const run = async ([program, ...first]: readonly string[], args: readonly string[]): Promise<string> => {
    // The Node that a manager runs under is also the one that its children find.
    const path = [dirname(program!), env['PATH']].join(delimiter)
    return await output(program!, [...first, ...args], { cwd: folder, env: { ...env, PATH: path } })
  }
  const failure = async (module = 'socket2'): Promise<{ code: string; message: string }> => {
    await write('failing.cjs', `
      try { require('${module}'); console.log('{}') }
      catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }
    `)
    return JSON.parse(await run([process.execPath], ['failing.cjs'])) as { code: string; message: string }
  }

  await write('package.json', '{ "private": true }')
  await write('.npmrc', `registry=${url}\naudit=false\nfund=false\nupdate-notifier=false\n`)
  await write('.yarnrc.yml', [
    `npmRegistryServer: "${url}"`, 'unsafeHttpWhitelist: ["127.0.0.1"]', 'enableScripts: false', 'enableTelemetry: false', ''
  ].join('\n'))
  await write('echo.mjs', echo)
  return { folder, fetched, write, run, failure }
}

/** The managers and the packed packages, or why there are none. */
async function prepare(): Promise<Tools | string> {
  if (npmLacks) return npmLacks
  try {
    const fetched = await output(process.execPath, [join(root, 'scripts/managers.mjs')])
    return { ...JSON.parse(lastLine(fetched)) as Omit<Tools, 'packages'>, packages: await packAll() }
  } catch (error) {
    if (outOfReach(error, 'fetching the package managers')) {
      return 'the package managers have not been fetched yet, and the registry of npm is out of reach'
    }
    throw error
  }
}

/** The packages that are built, as they are published; and of the other systems' what says for which they are. */
async function packAll(): Promise<Package[]> {
  const built = await pack(temporary)
  const all = await Promise.all((await readdir(join(root, 'npm'))).map(async name => {
    const folder = join(root, 'npm', name)
    return { folder, manifest: JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest }
  }))
  const others = all.filter(({ manifest }) => built.every(({ manifest: { name } }) => name !== manifest.name))
  if (others.length > 0) await output('npm', ['pack', '--ignore-scripts', '--pack-destination', temporary, ...others.map(({ folder }) => folder)])
  return [...built, ...others.map(({ manifest }) => ({ manifest, file: join(temporary, tarballOf(manifest)), files: [] }))]
}

function tarballOf({ name, version }: Manifest): string {
  return `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
}

function managerOf(manager: string): Manager {
  const [name, major] = manager.split(' ')
  return managers.find(({ name: its, version }) => its === name && version.startsWith(`${major}.`))!
}

/** The environment without what npm tells its children, and without proxies. */
function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_|pnpm_|yarn_|bun_|xdg_|init_cwd)|_proxy$/i.test(name)))
}
