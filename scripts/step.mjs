// The one tool of the other scripts: a step that says what it does, and is left out when nothing it depends on has changed.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startOf } from './npm.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const bin = {
  ava: join(root, 'node_modules/ava/entrypoints/cli.mjs'),
  napi: join(root, 'node_modules/@napi-rs/cli/dist/cli.js'),
  oxlint: join(root, 'node_modules/oxlint/bin/oxlint'),
  tsc: join(root, 'node_modules/typescript/bin/tsc')
}

/**
 * Runs `action` under a title, unless the contents of `inputs` and `outputs` (files and folders, from the root) are those
 * it left behind the last time. Without outputs it always runs. `outputs` may be a function, for names known afterwards.
 */
export async function step(title, { inputs = [], outputs = [] }, action) {
  const made = () => typeof outputs === 'function' ? outputs() : outputs
  const state = () => digest([...inputs, ...made()])
  const stamp = stampOf(title)
  if (made().length > 0 && made().every(path => existsSync(join(root, path))) && contents(stamp) === state()) return

  process.stdout.write(`${title} … `)
  const since = performance.now()
  try {
    await action()
  } catch (error) {
    console.log('failed')
    throw error
  }
  console.log(`${((performance.now() - since) / 1000).toFixed(1)} s`)
  if (made().length === 0) return
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(stamp, state())
}

/** Makes the steps with these titles run again, whatever they left behind. */
export function forget(...titles) {
  for (const title of titles) rmSync(stampOf(title), { force: true })
}

/** Runs a program silently and resolves to what it wrote into its pipes; all it wrote is the error's message when it fails. */
export async function run(command, args, options = {}) {
  const child = spawn(...startOf(command, args), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let [output, errors] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', text => { output += text })
  child.stderr?.setEncoding('utf8').on('data', text => { errors += text })
  const [status, signal] = await once(child, 'close').catch(error => { throw new Failure(`${command} cannot be run: ${error.message}`) })
  const ending = signal === null ? `status ${status}` : `ended by ${signal}`
  // Only its timeout has anybody here kill it.
  const limit = child.killed ? ` after ${options.timeout / 1000} s, the longest it may take` : ''
  if (status !== 0) throw new Failure(`${[command, ...args].join(' ')} (${ending}${limit})\n${output}${errors}`)
  return output
}

/** As `run`, for a script of Node. */
export function node(script, args, options) {
  return run(process.execPath, [script, ...args], options)
}

/** What a program wrote that failed; the scripts end with it instead of a stack. */
export class Failure extends Error {}

process.on('uncaughtException', error => {
  console.error(error instanceof Failure ? `\n${error.message}` : error)
  process.exit(1)
})

function stampOf(title) {
  return join(root, '.cache', `${title.replaceAll(/\W+/g, '-')}.stamp`)
}

function digest(paths) {
  const hash = createHash('sha256').update(process.platform + process.arch)
  for (const path of paths) {
    for (const file of filesIn(path)) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}

function filesIn(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isDirectory()) return [path]
  // An example may have been installed.
  const names = readdirSync(join(root, path)).filter(name => name !== 'node_modules')
  return names.toSorted().flatMap(name => filesIn(`${path}/${name}`))
}

/** The text of a file; '' when there is none. */
export function contents(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
