// npm test [-- spec …] [-- --runtimes]: the Rust tests, then the suite under this Node; on request under all others, too.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { leftOutSomewhere, stale } from './left-out.mjs'
import { leftOutByOthers, runtimes } from './runtimes.mjs'
import { setUp } from './set-up.mjs'
import { fileOf, specOf } from './specs.mjs'
import { bin, Failure, node, root, run } from './step.mjs'
import { Tally } from './tally.mjs'

const { positionals: names, values: { runtimes: everywhere } } = parseArgs({
  allowPositionals: true,
  options: { runtimes: { type: 'boolean', default: false } }
})
const specs = names.map(specOf)
const tally = new Tally(specs.length > 0)

await setUp(specs)

if (specs.length === 0) await tally.cargo('Rust tests', () => run('cargo', ['test', '-q', '-p', 'socket2-core']))
let written
await tally.ava(`tests under Node ${process.versions.node}`, async () => written = await node(bin.ava, specs))

if (everywhere) {
  if (specs.length === 0 && written !== undefined) await tally.program('looking for what is left out elsewhere', () => findLeftOut(written))
  const { nodes, others } = await runtimes()
  for (const { title, path } of nodes) {
    if (title === `Node ${process.versions.node}`) continue
    await tally.ava(`tests under ${title}`, () => run(path, [bin.ava, ...specs]))
  }
  for (const { title, path, args, leftOut } of others) {
    const program = join(root, 'build/__test__/_child/conformance.js')
    await tally.conformance(`conformance under ${title}`, () => run(path, [...args, program]))
    const concerned = leftOut.filter(({ spec }) => specs.length === 0 || specs.includes(fileOf(spec)))
    for (const { spec, test, why } of concerned) tally.skip(`${spec} › ${test ?? 'all of it'} under ${title} (${why})`)
    const without = concerned.filter(({ test }) => test === undefined).map(({ spec }) => fileOf(spec))
    const files = specs.length === 0 ? [fileOf('*'), ...without.map(file => `!${file}`)] : specs.filter(file => !without.includes(file))
    const matches = concerned.filter(({ test }) => test !== undefined).map(({ test }) => `--match=!${test}`)
    if (files.length > 0) await tally.ava(`tests under ${title}`, () => run(path, [...args, join(root, 'scripts/ava.mjs'), ...files, ...matches]))
  }
}
tally.end()

/** Fails when something is left out under a name that no test has. */
async function findLeftOut(output) {
  const gone = stale([...leftOutSomewhere, ...leftOutByOthers], output)
  if (gone.length > 0) throw new Failure(`There are no such tests:\n${gone.map(({ spec, test }) => `  ${spec} › ${test}`).join('\n')}`)
}
