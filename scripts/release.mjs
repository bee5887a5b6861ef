// node scripts/release.mjs [--dry-run] [folder]: publishes the packed packages (of packages/) to npm: the bindings first, so that the
// library is never there without them. What is there already is left out; after a failure, run it again. On GitHub npm trusts the
// workflow itself, without any token, and each package tells which commit and which run it comes from.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { contents, Failure, root, run, step } from './step.mjs'
import { targets } from './targets.mjs'

const { positionals: [folder = 'packages'], values: { 'dry-run': rehearsal } } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false } }
})
const { version } = JSON.parse(contents(join(root, 'package.json')))
const packages = [...targets.map(({ platform }) => `@socket2/binding-${platform}`), 'socket2'].map(name => ({
  name, file: resolve(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
}))

const missing = packages.filter(({ file }) => !existsSync(file))
if (missing.length > 0) throw new Failure(`No release without all packages. There is no\n  ${missing.map(({ file }) => file).join('\n  ')}`)

const tag = process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : undefined
if (tag !== undefined && tag !== `v${version}`) throw new Failure(`The tag is ${tag}, but the version is ${version}`)

const npm = (await run('npm', ['--version'])).trim()
const [major, minor, patch] = npm.split('.').map(Number)
if (major * 1e6 + minor * 1e3 + patch < 11_005_001) throw new Failure(`Trusted publishing needs npm 11.5.1: this is ${npm}`)

const options = ['--access=public', '--ignore-scripts', `--tag=${version.includes('-') ? 'next' : 'latest'}`]
for (const { name, file } of packages) {
  if (await isPublished(name)) console.log(`${name} ${version} is there already`)
  else if (rehearsal) await step(`trying to publish ${name} ${version}`, {}, () => run('npm', ['publish', file, '--dry-run', ...options]))
  else await step(`publishing ${name} ${version}`, {}, () => run('npm', ['publish', file, '--provenance', ...options]))
}

async function isPublished(name) {
  try {
    return (await run('npm', ['view', `${name}@${version}`, 'version'])).trim() === version
  } catch (error) {
    if (/\bE404\b/.test(error.message)) return false
    throw error
  }
}
