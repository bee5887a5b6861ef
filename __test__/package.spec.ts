// The packages themselves: what is in them, and the library out of its package imported, required, and type-checked.
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { echo, isFor, npmLacks, output, pack, root, type Package } from './_packages.js'
import { unless } from './_util.js'

// With a blank, as in the name of many a home.
const consumer = await mkdtemp(join(tmpdir(), 'socket2 consumer-'))
const packages = npmLacks ? [] : await packAndInstall()
const [library, ...bindings] = packages
test.after.always('clean up', () => rm(consumer, { recursive: true, force: true, maxRetries: 5 }))

for (const [entry, member] of [['socket2', 'tcp'], ['socket2/dgram', 'createSocket']] as const) {
  unless(npmLacks)(`import, require, named and default exports of ${entry} reach one instance`, async t => {
    const script = `one.${member}.mjs` // these tests run at the same time
    await write(script, `
      import * as named from '${entry}'
      import namespace from '${entry}'
      import { createRequire } from 'node:module'
      const required = createRequire(import.meta.url)('${entry}')
      const lacking = Object.keys(required).filter(name => name !== 'default' && named[name] !== required[name])
      const added = Object.keys(named).filter(name => name !== 'default' && !(name in required))
      console.log(JSON.stringify({ same: namespace === required && named.default === required, lacking, added, some: typeof named.${member} }))
    `)
    t.deepEqual(JSON.parse(await run(script)), { same: true, lacking: [], added: [], some: 'function' })
  })
}

unless(npmLacks)('a socket made by require and one made by import exchange data', async t => {
  await write('echo.mjs', echo)
  t.is(await run('echo.mjs'), 'hello\n')
})

unless(npmLacks)('strict TypeScript accepts the packages from an ES module and from CommonJS, declarations included', async t => {
  const use = `
    export async function echo(): Promise<string> {
      const server: socket2.TcpSocket = await socket2.tcp().listen('127.0.0.1')
      const client = await socket2.tcp('inet').connect(server.localAddress!)
      const length: number = await client.send('hello', { timeout: 1000 })
      const reply: Buffer = await client.recv(length)
      return reply.toString()
    }
    export function log(text: string): number | undefined {
      const socket: dgram.Socket = dgram.createSocket('unix_dgram', (data: Buffer, { size, path }: dgram.RemoteInfo) => console.log(data, size, path))
      socket.on('congestion', data => socket.once('writable', () => socket.send(data))).connect('/dev/log')
      let code: number | undefined
      socket.send(text, error => { code = error?.code })
      return code
    }
    export const inet: Socket = dgram.createSocket('udp4')
    datagrams.createSocket satisfies typeof dgram.createSocket
    namespace.tcp satisfies typeof socket2.tcp
    namespace.tcp satisfies typeof tcp
  `
  const named = ["import type { Socket } from 'node:dgram'", "import namespace, { tcp } from 'socket2'", "import datagrams from 'socket2/dgram'"]
  await write('consumer.mts', ["import * as socket2 from 'socket2'", "import * as dgram from 'socket2/dgram'", ...named, use].join('\n'))
  await write('consumer.cts', ["import socket2 = require('socket2')", "import dgram = require('socket2/dgram')", ...named, use].join('\n'))
  await write('tsconfig.json', JSON.stringify({
    compilerOptions: {
      module: 'nodenext', target: 'es2022', strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, types: ['node']
    },
    files: ['consumer.mts', 'consumer.cts']
  }))
  for (const name of ['@types', 'undici-types']) await borrow(name)
  await t.notThrowsAsync(run(join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'))
})

unless(npmLacks)('the library asks for nothing but a binding for each system, at exactly its own version', async t => {
  const { version, dependencies, peerDependencies, optionalDependencies } = library!.manifest
  t.deepEqual([dependencies, peerDependencies], [undefined, undefined])
  const systems = await readdir(join(root, 'npm'))
  t.deepEqual(optionalDependencies, Object.fromEntries(systems.map(name => [`@socket2/binding-${name}`, version])))
})

unless(npmLacks)('no package runs anything when it is installed', t => {
  for (const { manifest } of packages) t.is(manifest.scripts, undefined, manifest.name)
})

unless(npmLacks)('the library holds what it needs to run and its types, and not its sources', t => {
  const outer = new Set(library!.files.map(path => path.split('/')[0]))
  t.deepEqual([...outer].toSorted(), ['LICENSE', 'README.md', 'binding.cjs', 'binding.d.cts', 'dist', 'package.json'])
  t.deepEqual(library!.files.filter(path => path.startsWith('dist/') && !/\.(js|mjs|d\.ts|d\.mts)$/.test(path)), ['dist/package.json'])
})

unless(npmLacks)('each binding has the license, a word about it, and one addon, and tells for which system it is', t => {
  for (const { manifest: { name, version, os, cpu, libc }, files } of bindings) {
    const [, platform, processor, abi] = /^@socket2\/binding-([^-]+)-([^-]+)(?:-(.+))?$/.exec(name)!
    t.deepEqual(files.toSorted(), ['LICENSE', 'README.md', 'package.json', name.replace('@socket2/binding-', 'socket2.') + '.node'].toSorted())
    t.deepEqual([os, cpu, version], [[platform!], [processor!], library!.manifest.version])
    t.deepEqual(libc, platform !== 'linux' ? undefined : [abi === 'gnu' ? 'glibc' : 'musl'])
  }
})

async function packAndInstall(): Promise<Package[]> {
  const all = await pack(consumer)
  const fitting = all.filter(({ manifest }) => manifest.os === undefined || isFor(manifest))
  await write('package.json', '{ "private": true }')
  // Offline: all that is needed must be in the tarballs.
  await output('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...fitting.map(({ file }) => file)], { cwd: consumer })
  return all
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(consumer, name), text)
}

/** Types that a consumer would have installed. */
async function borrow(name: string): Promise<void> {
  await cp(join(root, 'node_modules', name), join(consumer, 'node_modules', name), { recursive: true })
}

function run(script: string, ...args: string[]): Promise<string> {
  return output(process.execPath, [script, ...args], { cwd: consumer })
}
