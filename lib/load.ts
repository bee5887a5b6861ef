/**
 * Loads the native binding, through the generated loader (binding.cjs). When that fails it knows only what it has tried;
 * here it becomes one error that names the cause and the mend. Its code is always `ERR_SOCKET2_BINDING`, and its `cause` is
 * what the loader said.
 */
import { cutShort, madeFor, manifest, ours } from './packages.js'

/** What crates/node exports; native.ts says more of it. @internal */
export const binding = load()

function load(): typeof import('#binding') {
  const problem = tooOld() ?? unfit()
  if (problem !== undefined) throw bindingError(problem)
  try {
    return require('#binding') as typeof import('#binding')
  } catch (error) {
    // Read only when it is needed.
    const { diagnose } = require('./diagnosis.js') as typeof import('./diagnosis.js')
    throw bindingError(diagnose(error), error)
  }
}

/** An older Node may load the binding and then lack what the library calls. */
function tooOld(): string | undefined {
  const wanted = manifest.engines.node.replace('>=', '')
  const { node, bun, deno, electron } = process.versions
  const [major = 0, minor = 0] = wanted.split('.').map(Number)
  const [ourMajor = 0, ourMinor = 0] = node.split('.').map(Number)
  if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return undefined
  // The other runtimes say which Node they stand for.
  const other = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : electron !== undefined ? `Electron ${electron}` : undefined
  return other === undefined
    ? `it needs Node ${wanted} or newer, and this is Node ${node}.\nInstall a newer Node.`
    : `it needs what Node ${wanted} has, and this is ${other}, which stands for Node ${node}.\nInstall a newer ${other.split(' ')[0]}.`
}

/**
 * What the loader would not notice: it takes a binding of any version. A file cut short ends the whole process with SIGBUS, and
 * musl runs code that is made for another processor.
 */
function unfit(): string | undefined {
  if (process.env.NAPI_RS_NATIVE_LIBRARY_PATH) return undefined
  const found = ours()
  if (found === undefined) return undefined
  const { name, version, file } = found
  if (version !== manifest.version) {
    return `${name} is version ${version}, and socket2 is version ${manifest.version}; they must be the same.\n` +
      'Install again, without an override or a resolution that holds one of them back.'
  }
  const [target, here] = [madeFor(file), `${process.platform} ${process.arch}`]
  if (target !== undefined && target !== here) return `${file} is made for ${target}, and this is ${here}.\nRemove node_modules and install again.`
  return cutShort(file) ? `${file} is damaged: its end is missing.\nRemove node_modules and install again.` : undefined
}

function bindingError(problem: string, cause?: unknown): Error {
  const error = new Error(`socket2 cannot be loaded: ${problem}`, cause === undefined ? undefined : { cause })
  return Object.assign(error, { code: 'ERR_SOCKET2_BINDING' })
}
