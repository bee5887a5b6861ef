// Libraries of others that the tests use with ours, fetched once from npm into a folder in .cache/users for each set of them.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure, root, run, step } from './step.mjs'

const sets = {
  // Libraries that send by the npm package `unix-dgram`, where that name leads to socket2/dgram in the way docs/dgram.md tells.
  'unix-dgram': {
    dependencies: { 'hot-shots': '17.1.1', 'unix-dgram': 'file:./unix-dgram', winston: '3.19.0', 'winston-syslog': '2.7.1' },
    overrides: { 'unix-dgram': '$unix-dgram' },
    files: {
      'unix-dgram/package.json': '{ "name": "unix-dgram", "version": "2.0.7" }\n',
      'unix-dgram/index.js': "module.exports = require('socket2/dgram')\n"
    }
  },
  // Clients of servers, which take a stream to work on.
  clients: {
    dependencies: { ioredis: '6.0.0', pg: '8.23.1', postgres: '3.4.9', redis: '6.3.1', undici: '7.30.2', ws: '8.23.0' }
  }
}

/** Fetches a set, unless that was done before. When the registry is out of reach the tests leave out what needs it, and say so. */
export async function fetchUsers(set) {
  const { dependencies, overrides, files = {} } = sets[set]
  const folder = `.cache/users/${set}`
  const home = join(root, folder)
  for (const [name, text] of Object.entries({ ...files, 'package.json': JSON.stringify({ private: true, dependencies, overrides }) })) {
    mkdirSync(dirname(join(home, name)), { recursive: true })
    writeFileSync(join(home, name), text)
  }
  try {
    await step(`fetching ${Object.keys(dependencies).join(', ')}`, {
      inputs: [`${folder}/package.json`],
      outputs: [`${folder}/package-lock.json`, `${folder}/node_modules/.package-lock.json`]
    }, async () => {
      await run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=3000'], { cwd: home })
      // Under its own name they find the library of this repository.
      const library = join(home, 'node_modules/socket2')
      rmSync(library, { force: true })
      symlinkSync('../../../..', library)
    })
  } catch (error) {
    if (!(error instanceof Failure) || !/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT)\b/.test(error.message)) throw error
  }
}
