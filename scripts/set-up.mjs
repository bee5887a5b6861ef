// What test files want that is not of this repository, fetched before they run. What cannot be had they leave out, each test by its name.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { debianExtras, unpackLacking } from './debian.mjs'
import { find, folder, isInstalled, programs } from './servers.cjs'
import { all } from './specs.mjs'
import { contents, Failure, root, step } from './step.mjs'
import { fetchUsers } from './users.mjs'

/** What the packages of servers ask for that these do without here: some of it is bigger than they are. The C library is the machine's own. */
const needless = /^(libllvm|perl|libperl|postgresql-(client|common)|ssl-cert|libc6|libc-bin|locales)/

/** Makes ready what these test files use, or all of them. */
export async function setUp(specs) {
  await debianExtras('iproute2') // for the networks of __test__/_network.ts
  const files = withImports(specs.length === 0 ? all() : specs)
  if (files.some(file => file.endsWith('/_servers.js'))) await fetchServers()
  const sets = files.flatMap(file => Array.from(contents(join(root, file)).matchAll(/\busers\('([\w-]+)'/g), ([, set]) => set))
  for (const set of new Set(sets)) await fetchUsers(set)
}

/** These files, and those of the tests that they import. */
function withImports(files) {
  const found = new Set(files)
  for (const file of found) {
    for (const [, name] of contents(join(root, file)).matchAll(/ from '\.\/(_\w+\.js)'/g)) found.add(`${dirname(file)}/${name}`)
  }
  return [...found]
}

/**
 * Unpacks the servers that this machine lacks from its Debian's packages, as root or not. Nothing is installed, no service starts, no user
 * or database is made: each test file starts what it needs, and ends it.
 */
async function fetchServers() {
  const names = Object.keys(programs)
  if (!existsSync('/usr/bin/apt-get') || names.every(find)) return
  const lacking = names.filter(name => !isInstalled(name))
  try {
    await step(`fetching ${lacking.join(', ')}`, {}, () => unpackLacking(lacking.flatMap(name => programs[name].packages), folder, needless))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    console.log(error.message.split('\n').find(line => line.startsWith('E: ')) ?? error.message)
  }
}
