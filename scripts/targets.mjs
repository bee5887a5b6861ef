// The systems there is a package for. `napi.targets` in package.json names the same ones, and npm/ has a folder for each.

/** `platform` is what the loader calls it and its folder in npm/; `triple` is Rust's name; the rest is as in Node's `process`. */
export const targets = [
  { platform: 'linux-x64-gnu', triple: 'x86_64-unknown-linux-gnu', system: 'linux', cpu: 'x64', libc: 'glibc' },
  { platform: 'linux-arm64-gnu', triple: 'aarch64-unknown-linux-gnu', system: 'linux', cpu: 'arm64', libc: 'glibc' },
  { platform: 'linux-x64-musl', triple: 'x86_64-unknown-linux-musl', system: 'linux', cpu: 'x64', libc: 'musl' },
  { platform: 'linux-arm64-musl', triple: 'aarch64-unknown-linux-musl', system: 'linux', cpu: 'arm64', libc: 'musl' },
  { platform: 'darwin-x64', triple: 'x86_64-apple-darwin', system: 'darwin', cpu: 'x64' },
  { platform: 'darwin-arm64', triple: 'aarch64-apple-darwin', system: 'darwin', cpu: 'arm64' },
  { platform: 'win32-x64-msvc', triple: 'x86_64-pc-windows-msvc', system: 'win32', cpu: 'x64' },
  { platform: 'win32-arm64-msvc', triple: 'aarch64-pc-windows-msvc', system: 'win32', cpu: 'arm64' },
  { platform: 'freebsd-x64', triple: 'x86_64-unknown-freebsd', system: 'freebsd', cpu: 'x64' }
]

/** The target that this Node itself runs on; undefined where there is no package for it. */
export function thisTarget() {
  // Node built for glibc tells its version; one built for musl has none to tell.
  const libc = process.platform !== 'linux' ? undefined : process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  return targets.find(({ system, cpu, libc: its }) => system === process.platform && cpu === process.arch && its === libc)
}

/** The name of the file a target's binding is built into. */
export function fileOf({ platform }) {
  return `socket2.${platform}.node`
}
