// npm test [-- spec …] [-- --runtimes]: the Rust tests, then the suite under this Node; on request under all others, too.
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { bin, Failure, node, root, run, step } from './step.mjs'
import { runtimes } from './runtimes.mjs'

const { positionals: names, values: { runtimes: everywhere } } = parseArgs({
  allowPositionals: true,
  options: { runtimes: { type: 'boolean', default: false } }
})
const specs = names.map(specOf)
const total = { passed: 0, failed: 0, skipped: 0 }

if (specs.length === 0) await attempt('Rust tests', countCargo, () => run('cargo', ['test', '-q', '-p', 'socket2-core']))
await attempt(`tests under Node ${process.versions.node}`, countAva, () => node(bin.ava, specs))

if (everywhere) {
  const { nodes, others } = await runtimes()
  for (const { title, path } of nodes) {
    if (title === `Node ${process.versions.node}`) continue
    await attempt(`tests under ${title}`, countAva, () => run(path, [bin.ava, ...specs]))
  }
  for (const { title, path, args } of others) {
    const smoke = join(root, 'build/__test__/_child/smoke.js')
    await attempt(`smoke test under ${title}`, (_, ok) => ok ? { passed: 1 } : { failed: 1 }, () => run(path, [...args, smoke]))
  }
}

console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
process.exitCode = total.failed > 0 ? 1 : 0

/** Runs some tests; those that fail are shown and counted, and do not keep the others from running. */
async function attempt(title, count, action) {
  let [output, ok] = ['', true]
  try {
    await step(title, {}, async () => { output = await action() })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    ;[output, ok] = [error.message, false]
  }
  if (specs.length > 0) console.log(output)
  else if (!ok) console.log(output.replaceAll(/^ +[✔√] .*\n/gm, ''))
  const { passed = 0, failed = 0, skipped = 0 } = count(output, ok)
  total.passed += passed
  total.failed += ok ? 0 : Math.max(1, failed)
  total.skipped += skipped
}

function countCargo(output) {
  return {
    passed: sum(output, /(\d+) passed;/g),
    failed: sum(output, /(\d+) failed;/g),
    skipped: sum(output, /(\d+) ignored;/g)
  }
}

function countAva(output) {
  return {
    passed: [...output.matchAll(/^ +[✔√] /gm)].length, // the sum at the end is left out when a test has failed
    failed: sum(output, /^ +(\d+) (?:tests?|uncaught exceptions?|unhandled rejections?|hooks?)(?: failed)?$/gm),
    skipped: sum(output, /^ +(\d+) tests? skipped$/gm)
  }
}

function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((all, [, number]) => all + Number(number), 0)
}

function specOf(name) {
  const path = `build/__test__/${basename(name).replace(/(\.spec)?(\.[jt]s)?$/, '')}.spec.js`
  if (existsSync(join(root, path))) return path
  const known = readdirSync(join(root, 'build/__test__')).filter(file => file.endsWith('.spec.js'))
  throw new Failure(`There is no test file ${name}. There are: ${known.map(file => file.slice(0, -'.spec.js'.length)).join(', ')}`)
}
