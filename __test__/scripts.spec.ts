// The commands of the repository: what they say of a wrong name, and of a program that fails them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import { lacks, unless } from './_util.js'

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url))

test('a program that takes longer than it may is ended, and that is said', t => {
  t.regex(said("await run(process.execPath, ['--eval', 'setInterval(() => {}, 60_000)'], { timeout: 100 })"), /\(ended by SIGTERM after 0\.1 s, the longest it may take\)/)
})

test('a program that fails is told with its status and with what it wrote', t => {
  t.regex(said("await run(process.execPath, ['--eval', 'console.log(`why`); process.exitCode = 7'])"), /\(status 7\)\nwhy/)
})

unless(lacks.posix)('a program that a signal has ended is told with the signal', t => {
  t.regex(said("await run(process.execPath, ['--eval', 'process.kill(process.pid, `SIGKILL`)'])"), /\(ended by SIGKILL\)/)
})

test('a test file is found by its name, with a folder and endings or without', t => {
  const names = ['tcp', 'tcp.spec', 'tcp.spec.ts', '__test__/tcp.spec.ts', 'build/__test__/tcp.spec.js']
  t.is(said(`console.log(String(new Set(${JSON.stringify(names)}.map(specOf)).size), specOf('tcp'))`), '1 build/__test__/tcp.spec.js\n')
})

for (const command of ['test', 'windows']) {
  const elsewhere = command === 'windows' && (process.platform !== 'linux' || process.arch !== 'x64') && 'Wine is for Linux on x64'
  unless(elsewhere)(`scripts/${command}.mjs does nothing for a test file that there is not, and names those there are`, t => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [`${scripts}${command}.mjs`, 'tcp', 'nonsense'], { encoding: 'utf8' })
    t.deepEqual([status, stdout], [1, ''])
    t.regex(stderr, /There is no test file nonsense\. There are: address, .*\btcp, /)
  })
}

/** What code writes that uses the scripts' own tools. */
function said(code: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', `
    import { specOf } from '${pathToFileURL(`${scripts}specs.mjs`).href}'
    import { run } from '${pathToFileURL(`${scripts}step.mjs`).href}'
    ${code}
  `], { encoding: 'utf8' })
  return stdout + stderr
}
