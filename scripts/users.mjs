// node scripts/users.mjs: libraries that send by the npm package `unix-dgram`, fetched once from npm into .cache/users, where that name
// leads to socket2/dgram in the way docs/dgram.md tells. Says as JSON where that is.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'

const home = '.cache/users'
const write = (name, text) => writeFileSync(join(root, home, name), text)

mkdirSync(join(root, home, 'unix-dgram'), { recursive: true })
write('unix-dgram/package.json', '{ "name": "unix-dgram", "version": "2.0.7" }\n')
write('unix-dgram/index.js', "module.exports = require('socket2/dgram')\n")
write('package.json', JSON.stringify({
  private: true,
  dependencies: { 'hot-shots': '17.1.1', 'unix-dgram': 'file:./unix-dgram', winston: '3.19.0', 'winston-syslog': '2.7.1' },
  overrides: { 'unix-dgram': '$unix-dgram' }
}))
write('index.mjs', "export { StatsD } from 'hot-shots'\nexport { Syslog } from 'winston-syslog'\nexport * as winston from 'winston'\nexport { createSocket } from 'unix-dgram'\n")

await step('fetching the libraries that use unix-dgram', {
  inputs: [`${home}/package.json`],
  outputs: [`${home}/package-lock.json`, `${home}/node_modules/.package-lock.json`]
}, async () => {
  await run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=3000'], { cwd: join(root, home) })
  const library = join(root, home, 'node_modules/socket2')
  rmSync(library, { force: true })
  symlinkSync('../../..', library)
})
console.log(JSON.stringify(join(root, home)))
