// The workflows of GitHub: actionlint finds nothing wrong in them, what they run are commands that anybody can run here, and a release
// is built for every system.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { contents, Failure, root, run, step } from './step.mjs'
import { targets } from './targets.mjs'

const folder = '.github/workflows'
const linter = { module: 'github.com/rhysd/actionlint/cmd/actionlint', version: 'v1.7.12' }
const files = readdirSync(join(root, folder)).map(name => `${folder}/${name}`)

await step('checking what the workflows run', {}, () => {
  const { scripts } = JSON.parse(contents(join(root, 'package.json')))
  const strangers = files.flatMap(file => commandsOf(file).filter(command => !isOurs(command, scripts)).map(command => `${file}: ${command}`))
  if (strangers.length > 0) throw new Failure(`These are not commands of this repository:\n  ${strangers.join('\n  ')}`)
})

await step('checking that each system is built for a release', {}, () => {
  const { napi } = JSON.parse(contents(join(root, 'package.json')))
  const built = Array.from(contents(join(root, folder, 'release.yml')).matchAll(/^ +- \{ platform: ([\w-]+),/gm), ([, platform]) => platform)
  const wrong = [
    ...difference('the build matrix of release.yml', built, targets.map(({ platform }) => platform)),
    ...difference('napi.targets in package.json', napi.targets, targets.map(({ triple }) => triple))
  ]
  if (wrong.length > 0) throw new Failure(wrong.join('\n'))
})

if (await run('go', ['version']).then(() => true, () => false)) {
  const home = join(root, '.cache/actionlint', linter.version)
  const program = join(home, process.platform === 'win32' ? 'actionlint.exe' : 'actionlint')
  if (!existsSync(program)) {
    await step('fetching actionlint', {}, () => run('go', ['install', `${linter.module}@${linter.version}`], {
      env: { ...process.env, GOBIN: home }
    }))
  }
  // Its own check of scripts in the steps is left out: there are none.
  await step('linting the workflows', {}, () => run(program, ['-no-color', '-shellcheck=', '-pyflakes=', ...files]))
} else {
  console.log('linting the workflows … skipped: actionlint is built from source, and there is no Go here')
}

/** What a list has and scripts/targets.mjs has not, and the other way round, in sentences. */
function difference(list, found, wanted) {
  return [
    ...found.filter(name => !wanted.includes(name)).map(name => `${list} has ${name}, and scripts/targets.mjs has not`),
    ...wanted.filter(name => !found.includes(name)).map(name => `${list} has no ${name}, but scripts/targets.mjs has`)
  ]
}

/** What the steps of a workflow run, one command each. */
function commandsOf(file) {
  return Array.from(contents(join(root, file)).matchAll(/^[\s-]*run: (.*)$/gm), ([, command]) => command)
    .flatMap(line => line.split(' && '))
}

/** Whether it is a script in package.json, or a file in scripts/. */
function isOurs(command, scripts) {
  const [, npm, file] = /^(?:npm (?:run )?([\w:]+)|(?:node|sh) (scripts\/[\w.-]+))(?: [^;|`$]*(?:\$\{\{[^}]*\}\}[^;|`$]*)*)?$/.exec(command) ?? []
  return npm !== undefined ? npm in scripts : file !== undefined && existsSync(join(root, file))
}
