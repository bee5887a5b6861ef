// The README's code works: its TypeScript blocks are type-checked and run, each as the module it is.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { unless } from './_util.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
// Inside the project, where the name socket2 leads to the project itself.
const folder = join(root, '.cache', `readme-${process.pid}`)

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!)
const tsc = join(root, 'node_modules/typescript/bin/tsc')
/** The compiler is a binary: packages that were installed for one system have none for another. */
const compiles = spawnSync(process.execPath, [tsc, '--version']).status === 0

test.before('compile', async t => {
  if (!compiles) return
  await mkdir(folder, { recursive: true })
  await Promise.all(blocks.map((code, i) => writeFile(join(folder, `block${i}.ts`), code)))
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({
    extends: '../../tsconfig.dev.json',
    compilerOptions: { rootDir: '.', outDir: 'out', noUnusedLocals: false },
    include: ['*.ts']
  }))
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  t.is(status, 0, stdout)
})

test.after.always('clean up', () => rm(folder, { recursive: true, force: true }))

test('the README shows code', t => {
  t.true(blocks.length > 0)
})

for (const i of blocks.keys()) {
  unless(!compiles && 'no compiler is installed for this system')(`block ${i + 1} of the README runs to its end`, t => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, `out/block${i}.js`)], { encoding: 'utf8', timeout: 30_000 })
    t.is(stderr, '')
    t.is(status, 0)
  })
}
