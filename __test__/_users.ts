/** Libraries of others, as scripts/users.mjs has fetched them. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { types } from 'node:util'
import type { Reason } from './_system.js'

/** A set of libraries. What they export is typed by who asks. */
export interface Users {
  /** Why they are not there. */
  reason: Reason
  /** What a library exports to those who require it; nothing at all where it is not there. */
  load<T extends object>(name: string): T
  /** Where its file is. */
  resolve(name: string): string
}

/**
 * A set of libraries by its name, unless there is a reason already to do without. `scripts/set-up.mjs` looks for calls of this in the
 * test files, and fetches the sets they name.
 */
export function users(set: string, lacking: Reason = false): Users {
  const home = fileURLToPath(new URL(`../../.cache/users/${set}/`, import.meta.url))
  const reason = lacking || (!existsSync(`${home}node_modules/.package-lock.json`) && 'its packages have not been fetched from npm, which npm test does')
  const require = createRequire(`${home}package.json`)
  const load = (name: string): object => {
    const loaded = require(name) as object
    // Of a package that is both Bun takes the ES module.
    return types.isModuleNamespaceObject(loaded) && 'default' in loaded ? loaded.default as object : loaded
  }
  return {
    reason,
    load: <T extends object>(name: string) => (reason ? {} : load(name)) as T,
    resolve: name => require.resolve(name)
  }
}
