/** Why the native binding did not load, and what helps. Told from what is installed rather than from the words of the systems' loaders, where possible. */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { bundled, find, fitting, glibc, installed, madeFor, manifest, names, ours } from './packages.js'

/** The glibc that the bindings are built for. */
const GLIBC = '2.17'

const here = `${process.platform} ${process.arch}`
const again = 'Remove node_modules and install again.'

/** The cause in one sentence, and the mend below it. */
export function diagnose(failure: unknown): string {
  const said = messages(failure)
  const path = process.env.NAPI_RS_NATIVE_LIBRARY_PATH
  if (path) return `NAPI_RS_NATIVE_LIBRARY_PATH names ${path}, which cannot be loaded: ${said[0]}\nName a binding built for ${here}, or unset it.`
  if (bundled) {
    return 'a bundler has taken it into a bundle and has left out its native binding, a .node file.\n' +
      'Keep it out of the bundle and in node_modules: esbuild --external:socket2; webpack externals: { socket2: "commonjs socket2" }; ' +
      'Vite ssr.external, Rollup external: ["socket2"]; Next.js serverExternalPackages: ["socket2"].'
  }
  if (manifest.optionalDependencies === undefined) return `its binding for ${here} has not been built, or not well: ${refusal(said)}\nRun: npm run build`
  if (fitting().length === 0) {
    return `there is no binding for ${here}, only for ${names().map(name => name.replace('@socket2/binding-', '')).join(', ')}.\n` +
      'Elsewhere it has to be built from its sources, with Rust.'
  }
  const name = wanted(said)
  const found = find(name)
  return found === undefined ? missing(name) : refused(found.name, found.file, said)
}

/** The platform package is not there. */
function missing(name: string): string {
  const others = installed().filter(other => other !== name)
  const [, os, cpu, libc] = /binding-([^-]+)-([^-]+)(?:-(.+))?$/.exec(name) ?? []
  const flags = [`--os=${os}`, `--cpu=${cpu}`, ...libc === 'gnu' ? ['--libc=glibc'] : libc === 'musl' ? ['--libc=musl'] : []].join(' ')
  const mend = others.length > 0
    ? `the package ${name} is missing, and in its place there is ${others.join(', ')}, for another system: ` +
      'node_modules was installed on another system or for one, and brought here.\n' +
      `Remove node_modules and install on this system, or install for it elsewhere: npm install ${flags}`
    : `the package ${name} is missing.\n` +
      'It is an optional dependency. Those are left out by --omit=optional, --no-optional or --ignore-optional, also when .npmrc says so, ' +
      'and by older versions of npm when the lockfile or node_modules comes from another system (https://github.com/npm/cli/issues/4828).\n' +
      'Install without such an option; if it is still missing, remove node_modules and package-lock.json and install again.'
  return isPacked(__filename) ? `${mend}\n${unpack}` : mend
}

/** The platform package is there, but the system does not take its file. */
function refused(name: string, file: string, said: readonly string[]): string {
  const words = refusal(said, basename(file))
  if (!existsSync(file)) return `${file} is not there, though its package is.\n${again}`
  const needed = /GLIBC_([\d.]+)' not found/.exec(words)?.[1]
  if (needed !== undefined) {
    return `${name} needs glibc ${needed}, and this system has glibc ${glibc() ?? 'of an older version'}.\n` +
      `Use a newer system: the published bindings need glibc ${GLIBC}. Or one with musl instead, such as Alpine, where the package for musl is installed.`
  }
  if (isPacked(file)) return `${file} lies in an asar archive, from where it cannot be loaded: ${words}\n${unpack}`
  if (/ld-linux|ld-musl|libc\.musl|libc\.so\b|symbol not found/.test(words)) {
    return `${name} is made for another C library than this system's: ${words}\n${again}`
  }
  return `${file} is ${madeFor(file) === undefined ? 'damaged' : 'damaged or may not be loaded'}: ${words}\n${again}`
}

const unpack = 'The native binding of an Electron app has to lie outside its archive. electron-builder: "asarUnpack": ["**/*.node"]; ' +
  "Electron Forge: packagerConfig: { asar: { unpack: '**/*.node' } }."

function isPacked(path: string): boolean {
  return /\.asar[\\/]/.test(path)
}

/** The package that the loader looked for; which C library it takes this system to have is its business. */
function wanted(said: readonly string[]): string {
  const tried = said.flatMap(message => Array.from(message.matchAll(/@socket2[\\/](binding-(?!wasm)[\w-]+)/g), ([, name]) => `@socket2/${name}`))
  return tried.find(name => fitting().includes(name)) ?? ours()?.name ?? fitting()[0]!
}

/** Of all that the loader has tried: what the system said of a file that was there. */
function refusal(said: readonly string[], file = '.node'): string {
  const words = said.filter(message => !/^Cannot (?:find|resolve)/i.test(message))
  return (words.find(message => message.includes(file)) ?? words[0] ?? said[0] ?? '').split('\n')[0]!
}

/** What the loader's attempts failed with, the first of them first; it has put each into the cause of the next. */
function messages(failure: unknown): string[] {
  const all: string[] = []
  for (let error = failure; error instanceof Error; error = error.cause) all.unshift(error.message)
  return all
}

