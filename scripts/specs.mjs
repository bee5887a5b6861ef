// The test files, by the names they have on the command line: tcp, tcp.spec.ts and __test__/tcp.spec.ts are the same one.
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Failure, root } from './step.mjs'

const folder = 'build/__test__'

/** The compiled file of a spec; `*` stands for all. */
export function fileOf(spec) {
  return `${folder}/${spec}.spec.js`
}

/** The compiled file that somebody means. */
export function specOf(name) {
  const path = fileOf(basename(name).replace(/(\.spec)?(\.[jt]s)?$/, ''))
  if (existsSync(join(root, path))) return path
  throw new Failure(`There is no test file ${name}. There are: ${all().map(file => basename(file, '.spec.js')).join(', ')}`)
}

/** The compiled files of all specs. */
export function all() {
  return readdirSync(join(root, folder)).filter(file => file.endsWith('.spec.js')).map(file => `${folder}/${file}`)
}
