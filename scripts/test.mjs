// npm test [-- spec …] [-- --runtimes]: the Rust tests, then the suite under this Node; on request under all others, too.
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { bin, Failure, node, root, run } from './step.mjs'
import { runtimes } from './runtimes.mjs'
import { Tally } from './tally.mjs'

const { positionals: names, values: { runtimes: everywhere } } = parseArgs({
  allowPositionals: true,
  options: { runtimes: { type: 'boolean', default: false } }
})
const specs = names.map(specOf)
const tally = new Tally(specs.length > 0)

if (specs.length === 0) await tally.cargo('Rust tests', () => run('cargo', ['test', '-q', '-p', 'socket2-core']))
await tally.ava(`tests under Node ${process.versions.node}`, () => node(bin.ava, specs))

if (everywhere) {
  const { nodes, others } = await runtimes()
  for (const { title, path } of nodes) {
    if (title === `Node ${process.versions.node}`) continue
    await tally.ava(`tests under ${title}`, () => run(path, [bin.ava, ...specs]))
  }
  for (const { title, path, args } of others) {
    const program = join(root, 'build/__test__/_child/conformance.js')
    await tally.conformance(`conformance under ${title}`, () => run(path, [...args, program]))
  }
}
tally.end()

function specOf(name) {
  const path = `build/__test__/${basename(name).replace(/(\.spec)?(\.[jt]s)?$/, '')}.spec.js`
  if (existsSync(join(root, path))) return path
  const known = readdirSync(join(root, 'build/__test__')).filter(file => file.endsWith('.spec.js'))
  throw new Failure(`There is no test file ${name}. There are: ${known.map(file => file.slice(0, -'.spec.js'.length)).join(', ')}`)
}
