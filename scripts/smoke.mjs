// node scripts/smoke.mjs [folder]: installs the packed packages (of packages/) for this system into an empty folder, scripts blocked, and
// makes an echo with them. It needs nothing but Node and npm, and so runs where nothing can be built.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { contents, Failure, root, run, step } from './step.mjs'
import { thisTarget } from './targets.mjs'

const folder = resolve(process.argv[2] ?? 'packages')
const { version } = JSON.parse(contents(join(root, 'package.json')))
const target = thisTarget()
if (target === undefined) throw new Failure(`There is no package for ${process.platform} on ${process.arch}`)

const packages = ['socket2', `socket2-binding-${target.platform}`].map(name => join(folder, `${name}-${version}.tgz`))
const place = mkdtempSync(join(tmpdir(), 'socket2-smoke-'))
try {
  writeFileSync(join(place, 'package.json'), '{ "private": true }')
  await step(`installing socket2 ${version} for ${target.platform}`, {}, () => run('npm', [
    'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...packages
  ], { cwd: place }))

  copyFileSync(join(root, 'examples/electron/echo.cjs'), join(place, 'echo.cjs'))
  const code = "import * as socket2 from 'socket2'; import { echo } from './echo.cjs'; console.log(await echo(socket2))"
  let did = ''
  await step(`an echo under Node ${process.versions.node}`, {}, async () => {
    did = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: place })
  })
  console.log(`  ${did.trim()}`)
} finally {
  rmSync(place, { recursive: true, force: true })
}
