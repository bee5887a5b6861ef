// Programs that PyPI has ready-made for many systems.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { debianPackages } from './debian.mjs'
import { run, step } from './step.mjs'

/** Puts packages of PyPI into `folder` the first time; `wheels` is the system they are for when it is another than this. */
export async function pypi(packages, folder, wheels) {
  if (existsSync(folder)) return
  if (!await run('python3', ['-m', 'pip', '--version']).then(() => true, () => false)) await debianPackages('python3-pip')
  mkdirSync(dirname(folder), { recursive: true })
  const making = mkdtempSync(`${folder}-`)
  try {
    const foreign = wheels === undefined ? [] : ['--platform', wheels, '--no-deps']
    await step(`fetching ${packages.join(' and ')} from PyPI`, {}, () => run('python3', [
      '-m', 'pip', 'install', '-q', '--no-warn-script-location', '--only-binary', ':all:', ...foreign, '--target', making, ...packages
    ]))
    renameSync(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}
