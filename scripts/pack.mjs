// node scripts/pack.mjs <folder>: puts the packages as they would be published there: the library, and the bindings that are built.
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Failure, root, run } from './step.mjs'

const folder = resolve(process.argv[2] ?? '.')
const stage = mkdtempSync(join(tmpdir(), 'socket2-pack-'))

try {
  for (const path of ['package.json', 'README.md', 'LICENSE', 'binding.cjs', 'binding.d.cts', 'dist', 'npm']) {
    cpSync(join(root, path), join(stage, path), { recursive: true })
  }
  const library = manifest(stage)
  const platforms = readdirSync(join(stage, 'npm')).map(name => join(stage, 'npm', name))
  // The repository's own package.json names no bindings: they are not published yet when it is installed.
  library.optionalDependencies = Object.fromEntries(platforms.map(path => [manifest(path).name, library.version]))
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(library, null, 2)}\n`)

  const built = platforms.filter(path => readdirSync(root).includes(manifest(path).main))
  for (const path of built) {
    const { main, name, version } = manifest(path)
    if (version !== library.version) throw new Failure(`${name} is ${version}, but the library is ${library.version}`)
    copyFileSync(join(root, main), join(path, main))
    copyFileSync(join(root, 'LICENSE'), join(path, 'LICENSE'))
  }
  for (const path of [stage, ...built]) {
    const name = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: path })
    console.log(name.trim())
  }
} finally {
  rmSync(stage, { recursive: true, force: true })
}

function manifest(path) {
  return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
}
