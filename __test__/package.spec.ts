// The packages as strangers get them: packed, installed into an empty folder, imported, required, and type-checked.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const consumer = await mkdtemp(join(tmpdir(), 'socket2-consumer-'))

test.before('pack and install', async () => {
  const tarballs = await run(process.execPath, [join(root, 'scripts/pack.mjs'), consumer])
  await writeFile(join(consumer, 'package.json'), '{ "private": true }')
  // Offline: all that is needed must be in the tarballs.
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs.trim().split('\n').map(name => `./${name}`)])
})

test.after.always('clean up', () => rm(consumer, { recursive: true, force: true }))

test('import, require, named and default exports reach one instance', async t => {
  await write('one.mjs', `
    import * as named from 'socket2'
    import socket from 'socket2'
    import { createRequire } from 'node:module'
    const required = createRequire(import.meta.url)('socket2')
    const lacking = Object.keys(required).filter(name => name !== 'default' && named[name] !== required[name])
    const added = Object.keys(named).filter(name => name !== 'default' && !(name in required))
    console.log(JSON.stringify({ same: socket === required && named.default === required, lacking, added, some: typeof named.tcp }))
  `)
  t.deepEqual(JSON.parse(await run(process.execPath, ['one.mjs'])), { same: true, lacking: [], added: [], some: 'function' })
})

test('a socket made by require and one made by import exchange data', async t => {
  await write('echo.mjs', `
    import { tcp } from 'socket2'
    import { createRequire } from 'node:module'
    const required = createRequire(import.meta.url)('socket2')
    const server = await tcp().listen('127.0.0.1')
    const client = await required.tcp().connect(server.localAddress)
    const accepted = await server.accept()
    await client.send('hello')
    await accepted.send(await accepted.recv(100))
    console.log(String(await client.recv(100)))
    for (const socket of [server, client, accepted]) socket.close()
  `)
  t.is(await run(process.execPath, ['echo.mjs']), 'hello\n')
})

test('strict TypeScript accepts the packages from an ES module and from CommonJS, declarations included', async t => {
  const use = `
    export async function echo(): Promise<string> {
      const server: socket2.TcpSocket = await socket2.tcp().listen('127.0.0.1')
      const client = await socket2.tcp('inet').connect(server.localAddress!)
      const length: number = await client.send('hello', { timeout: 1000 })
      const reply: Buffer = await client.recv(length)
      return reply.toString()
    }
  `
  await write('consumer.mts', `import * as socket2 from 'socket2'\nimport namespace from 'socket2'\nnamespace.tcp satisfies typeof socket2.tcp\n${use}`)
  await write('consumer.cts', `import socket2 = require('socket2')\nimport namespace, { tcp } from 'socket2'\nnamespace.tcp satisfies typeof tcp\n${use}`)
  await write('tsconfig.json', JSON.stringify({
    compilerOptions: {
      module: 'nodenext', target: 'es2022', strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, types: ['node']
    },
    files: ['consumer.mts', 'consumer.cts']
  }))
  for (const name of ['@types', 'undici-types']) await borrow(name)
  await t.notThrowsAsync(run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']))
})

test('the library asks for nothing but its bindings, at exactly its own version, and runs no script when installed', async t => {
  const library = await manifest('socket2')
  t.deepEqual([library.dependencies, library.peerDependencies], [undefined, undefined])
  for (const [name, version] of Object.entries(library.optionalDependencies ?? {})) {
    t.regex(name, /^@socket2\/binding-/)
    t.is(version, library.version)
  }
  for (const script of ['preinstall', 'install', 'postinstall']) t.is(library.scripts?.[script], undefined)
})

test('the packages hold the library and its binding, not the sources', async t => {
  const files = async (name: string) => (await readdir(join(consumer, 'node_modules', name))).toSorted()
  t.deepEqual(await files('socket2'), ['LICENSE', 'README.md', 'binding.cjs', 'binding.d.cts', 'dist', 'package.json'])
  const [binding] = await files('@socket2')
  t.regex((await files(`@socket2/${binding}`)).join(' '), /^LICENSE README\.md package\.json socket2\.[\w-]+\.node$/)
})

interface Manifest {
  version: string
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  scripts?: Record<string, string>
}

async function manifest(name: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(consumer, 'node_modules', name, 'package.json'), 'utf8')) as Manifest
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(consumer, name), text)
}

/** Types that a consumer would have installed. */
async function borrow(name: string): Promise<void> {
  await cp(join(root, 'node_modules', name), join(consumer, 'node_modules', name), { recursive: true })
}

/** What a program writes to stdout; all it wrote, when it fails. */
async function run(command: string, args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd: consumer, shell: command === 'npm' && process.platform === 'win32' })).stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error })
  }
}
