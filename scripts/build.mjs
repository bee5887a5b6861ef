// From the sources to what runs: packages, the native binding, dist/ (the library) and build/ (tests, bench, examples).
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { bin, node, root, run, step } from './step.mjs'
import { fileOf, thisTarget } from './targets.mjs'

await step('installing packages', {
  inputs: ['package-lock.json'],
  outputs: ['node_modules/.package-lock.json']
}, () => run('npm', ['ci', '--no-fund', '--no-audit']))

await import('./docs.mjs')

await step('building the native binding', {
  inputs: ['crates', 'Cargo.toml', 'Cargo.lock', 'package.json', 'package-lock.json'],
  outputs: () => ['binding.cjs', 'binding.d.cts', addon()]
}, () => node(bin.napi, [
  'build', '--platform', '--release', '--manifest-path', 'crates/node/Cargo.toml',
  '--output-dir', '.', '--js', 'binding.cjs', '--dts', 'binding.d.cts'
]))

await step('compiling the library', {
  inputs: ['index.ts', 'lib', 'binding.d.cts', 'package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'],
  outputs: ['dist']
}, async () => {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  await node(bin.tsc, ['-p', 'tsconfig.json'])
  // Below a package.json of its own, dist/ needs its own way to what the code calls #binding; it may not lead out of dist/.
  writeFileSync(join(root, 'dist/package.json'), '{ "type": "commonjs", "imports": { "#binding": "./binding.js" } }\n')
  writeFileSync(join(root, 'dist/binding.js'), "module.exports = require('../binding.cjs')\n")
  // Only an ES module can import any module from what is compiled to CommonJS.
  writeFileSync(join(root, 'dist/lib/thread.mjs'), "import { begin } from './thread.js'\n\nbegin(href => import(href))\n")
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const entry of Object.values(exports)) {
    if (entry.import?.default.endsWith('.mjs')) wrap(entry.import.default)
  }
})

await step('compiling tests, bench and examples', {
  inputs: ['__test__', 'bench', 'examples', 'dist', 'package-lock.json', 'tsconfig.json', 'tsconfig.dev.json'],
  outputs: ['build/__test__', 'build/examples']
}, async () => {
  rmSync(join(root, 'build'), { recursive: true, force: true })
  await node(bin.tsc, ['-p', 'tsconfig.dev.json'])
})

/** The file that this machine's binding is built into; where there is no package for it, the one that bears its name. */
function addon() {
  const target = thisTarget()
  if (target !== undefined) return fileOf(target)
  const start = `socket2.${process.platform}-${process.arch}`
  return readdirSync(root).find(name => name.startsWith(start) && name.endsWith('.node')) ?? `${start}.node`
}

/**
 * Writes the ES module `path` over the CommonJS module beside it. It hands out that module's own members, so `import` and
 * `require` meet in one instance; they are named one by one because Node finds only some of what CommonJS exports.
 */
function wrap(path) {
  const [module, name] = [join(root, path), path.slice(path.lastIndexOf('/') + 1, -'.mjs'.length)]
  const names = Object.keys(createRequire(module)(`./${name}.js`)).filter(key => key !== 'default')
  writeFileSync(module, [
    `import namespace from './${name}.js'`,
    'export default namespace',
    `export const {\n  ${names.join(',\n  ')}\n} = namespace\n`
  ].join('\n'))
  writeFileSync(module.replace(/\.mjs$/, '.d.mts'), `export * from './${name}.js'\nexport { default } from './${name}.js'\n`)
}
