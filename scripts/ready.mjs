// npm run ready: everything that must hold before a change is handed in. CI runs the same.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { bin, contents, Failure, forget, node, root, run, step } from './step.mjs'

const generated = ['lib/options.generated.ts', 'docs/options.md', 'binding.cjs', 'binding.d.cts']
const before = generated.map(file => contents(join(root, file)))
forget('generating what comes from the table of options', 'building the native binding')
script('scripts/build.mjs')

await step('checking generated files', {}, () => {
  const stale = generated.filter((file, i) => contents(join(root, file)) !== before[i])
  if (stale.length > 0) throw new Failure(`These were not current and have been generated anew: ${stale.join(', ')}`)
})
await step('checking the format of Rust', {}, () => run('cargo', ['fmt', '--all', '--check']))
await step('linting Rust', {}, async () => {
  await run('cargo', ['clippy', '-q', '-p', 'socket2-core', '--all-targets', '--', '-D', 'warnings'])
  // It has no tests of its own, and compiled for tests napi leaves out all that calls it.
  await run('cargo', ['clippy', '-q', '-p', 'socket2-node', '--', '-D', 'warnings'])
})
await step('linting TypeScript', {}, () => node(bin.oxlint, ['--deny-warnings']))
script('scripts/workflows.mjs')

script('scripts/test.mjs', '--runtimes')
script('build/bench/main.js', '--quick')

/** One of the commands as such, with all that it prints. */
function script(path, ...args) {
  const { status } = spawnSync(process.execPath, [join(root, path), ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Failure(`${path} failed`)
}
