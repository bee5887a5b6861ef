// node scripts/pack.mjs <folder>: puts the packages as they would be published there: the library, and this machine's binding.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bin, node, root, run } from './step.mjs'

const folder = resolve(process.argv[2] ?? '.')
const stage = mkdtempSync(join(tmpdir(), 'socket2-pack-'))

try {
  for (const path of ['package.json', 'README.md', 'LICENSE', 'binding.cjs', 'binding.d.cts', 'dist', 'npm']) {
    cpSync(join(root, path), join(stage, path), { recursive: true })
  }
  // Adds the platform packages to optionalDependencies, at exactly this version. The repository's own package.json names
  // none: they are not published yet when it is installed.
  await node(bin.napi, ['pre-publish', '--no-gh-release', '--skip-optional-publish', '-t', 'npm'], { cwd: stage })

  const packages = [stage]
  for (const platform of readdirSync(join(stage, 'npm'))) {
    const { main } = JSON.parse(readFileSync(join(stage, 'npm', platform, 'package.json'), 'utf8'))
    if (!readdirSync(root).includes(main)) continue
    cpSync(join(root, main), join(stage, 'npm', platform, main))
    packages.push(join(stage, 'npm', platform))
  }
  for (const path of packages) {
    const name = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: path })
    console.log(name.trim())
  }
} finally {
  rmSync(stage, { recursive: true, force: true })
}
