// What the scripts take from Debian: packages for this machine, packages only unpacked, and a whole Debian 13 in a folder.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { contents, Failure, root, run, step } from './step.mjs'

const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
const release = 'trixie' // Debian 13
// An update that cannot reach the mirror otherwise passes, with nothing known afterwards.
const strict = ['-o', 'APT::Update::Error-Mode=any']

/** Installs those of these packages that this machine lacks. */
export async function debianPackages(...names) {
  const missing = await lacking(names, args => run('dpkg-query', args))
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Failure(`Debian's ${missing.join(', ')} must be installed first; as root: ${command}`)
  }
  await step(`installing ${missing.join(', ')}`, {}, () => run('sh', ['-c', `${patient('apt-get update')} && ${patient(command)}`], quiet))
}

/** Installs packages that some tests are left out without, where that can be done at once: as root, on a Debian that reaches its mirror. */
export async function debianExtras(...names) {
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) await debianPackages(...names).catch(() => {})
}

/**
 * Unpacks packages of a Debian suite into `folder`, unless that was done before, without installing them. With `version`,
 * the first of `suites` that has it. Resolves to false when there is no Debian to ask, or no suite has that version.
 */
export async function unpackDebian(names, folder, { suites = [release], architecture = 'amd64', version } = {}) {
  if (existsSync(folder)) return true
  const mirror = await debianMirror()
  if (mirror === null) return false
  mkdirSync(dirname(folder), { recursive: true })
  const making = mkdtempSync(`${folder}-`)
  try {
    for (const suite of suites) {
      const apt = await privateApt(mirror, suite, architecture)
      const wanted = await Promise.all(names.map(name => apt.newest(name, version)))
      if (wanted.includes(undefined)) continue
      const debs = join(making, '.debs')
      mkdirSync(debs)
      await run('apt-get', [...apt.options, '-qq', 'download', ...wanted], { cwd: debs })
      for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', join(debs, deb), making])
      rmSync(debs, { recursive: true })
      chmodSync(making, 0o755)
      renameSync(making, folder)
      return true
    }
    if (version === undefined) throw new Failure(`Debian's ${suites.join(', ')} for ${architecture} lacks some of: ${names.join(', ')}`)
    return false
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/**
 * Unpacks packages into `folder`, anew, and what they need besides that this machine lacks, without installing anything. Those that
 * match `without` are left out. As whoever runs it: what the machine knows of its mirror is only read, and asked for again beside it.
 */
export async function unpackLacking(names, folder, without) {
  const own = ['-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=root']
  mkdirSync(dirname(folder), { recursive: true })
  const making = mkdtempSync(`${folder}-`)
  const debs = join(making, '.debs')
  mkdirSync(debs)
  const download = async options => {
    const plan = await run('apt-get', [...options, '-qq', '--simulate', '--no-install-recommends', 'install', ...names])
    const wanted = Array.from(plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm), ([, name, version]) => `${name}=${version}`)
    await run('apt-get', [...options, '-qq', 'download', ...wanted.filter(name => !without.test(name))], { cwd: debs })
  }
  try {
    await download(own).catch(async () => {
      // In the image of a container nothing is known of the mirror, and what is known may be outdated.
      const home = join(root, '.cache/apt/machine')
      mkdirSync(join(home, 'lists'), { recursive: true })
      const options = [...own, '-o', `Dir::State::lists=${join(home, 'lists')}`, '-o', `Dir::Cache=${home}`]
      await run('apt-get', [...options, ...strict, '-qq', 'update'])
      await download(options)
    })
    for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', join(debs, deb), making])
    rmSync(debs, { recursive: true })
    chmodSync(making, 0o755)
    rmSync(folder, { recursive: true, force: true })
    renameSync(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/**
 * A Debian 13 with these packages in .cache/debian-13, made the first time; null where it cannot be: it takes root, a
 * Debian to start from, and mount namespaces. `run(command, args, options)` is `enter` below.
 */
export async function debian13(...packages) {
  const mirror = await debianMirror()
  if (mirror === null || !await canEnter()) return null
  const folder = join(root, '.cache/debian-13')
  if (!existsSync(folder)) {
    await debianPackages('debootstrap', 'debian-archive-keyring')
    await step('making a Debian 13', {}, () => bootstrap(mirror, folder))
  }
  const inside = (command, args, options) => enter(folder, command, args, { cwd: '/', ...options })
  const missing = await lacking(packages, args => inside('dpkg-query', args))
  if (missing.length > 0) {
    const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
    await step(`installing ${missing.join(', ')} in Debian 13`, {}, () => inside('sh', [
      '-c', `dpkg --configure -a && ${patient('apt-get update')} && ${patient(install)}`
    ], { env: { DEBIAN_FRONTEND: 'noninteractive' } }))
  }
  return { folder, run: (command, args, options) => enter(folder, command, args, options) }
}

/** Whether this process may do what `enter` does. */
export async function canEnter() {
  return process.platform === 'linux' && process.getuid() === 0 && run('unshare', ['-m', 'true']).then(() => true, () => false)
}

/**
 * Runs a program in `folder` as its root, with the repository at its own path, and with no other environment than `env`.
 * `binds` are further folders and files, each at its own path or as [outside, inside]. `outputs` are two files that take what
 * it writes, for programs that want no pipes. With `alone`, all that it has started ends with it. The mounts are in a namespace
 * of their own: they end with the program, and deleting the folder can never follow them.
 */
export async function enter(folder, command, args, { env = {}, cwd = root, binds = [], outputs, alone = false, ...options } = {}) {
  const mounts = [root, ...binds].map(path => Array.isArray(path) ? path : [path, path]).map(([outside, inside]) => `
    if [ -d ${quoted(outside)} ]
    then mkdir -p ${quoted(folder + inside)}
    else mkdir -p ${quoted(dirname(folder + inside))}; [ -e ${quoted(folder + inside)} ] || : > ${quoted(folder + inside)}
    fi
    mount --bind ${quoted(outside)} ${quoted(folder + inside)}`)
  const script = `set -e
    cd ${quoted(folder)}
    mkdir -p proc dev tmp
    mount -t proc proc proc
    mount --rbind /dev dev
    mount -t tmpfs -o mode=1777 tmpfs tmp
    ${mounts.join('\n')}
    ${outputs ? `exec >${quoted(outputs[0])} 2>${quoted(outputs[1])}` : ''}
    exec env -i "$@"`
  const variables = { HOME: '/tmp', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...env }
  try {
    const output = await run('unshare', ['-m', ...alone ? ['--pid', '--fork', '--kill-child'] : [], 'sh', '-c', script, 'sh',
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      '/usr/bin/unshare', '-R', folder, '-w', cwd, command, ...args], options)
    return outputs ? contents(outputs[0]) : output
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    // Without the script above, which is no news to anybody.
    const [ending] = /\((?:status|ended by) [^]*/.exec(error.message) ?? [error.message]
    throw new Failure(`${[command, ...args].join(' ')} ${ending}${outputs ? outputs.map(contents).join('') : ''}`)
  }
}

/** The mirror of Debian that this machine itself installs from; null on other systems. */
async function debianMirror() {
  const system = contents('/etc/os-release')
  if (!/^ID=debian$/m.test(system)) return null
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(system)?.[1] ?? 'sid'
  const suites = [codename, 'stable', 'oldstable', 'testing', 'unstable']
  const ask = async () => {
    const lines = (await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Identifier: Packages'])).split('\n')
    return lines.map(line => line.split(' ')).find(([, suite]) => suites.includes(suite))?.[0] ?? null
  }
  const found = await ask()
  if (found !== null || process.getuid() !== 0) return found
  // Only what has been fetched is told, and in the image of a container that is nothing.
  await step('asking Debian what it has', {}, () => run('apt-get', [...strict, '-qq', 'update'], quiet))
  return ask()
}

/** An apt for another suite and architecture than this machine's, with its own lists and the machine's own way to the mirror. */
async function privateApt(mirror, suite, architecture) {
  const home = join(root, '.cache/apt', `${suite}-${architecture}`)
  mkdirSync(join(home, 'lists'), { recursive: true })
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg'
  const signed = existsSync(keys) ? `[signed-by=${keys}] ` : ''
  writeFileSync(join(home, 'sources.list'), `deb ${signed}${mirror} ${suite} main\n`)
  const options = Object.entries({
    'Dir::Etc::sourcelist': join(home, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(home, 'lists'),
    'Dir::Cache': home,
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root'
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await run('apt-get', [...options, ...strict, '-qq', 'update'])
  return {
    options,
    /** `name=version` of the newest there is, or of that whose upstream version is `upstream`. */
    async newest(name, upstream) {
      const lines = (await run('apt-cache', [...options, 'madison', name])).split('\n').filter(line => line !== '')
      const versions = lines.map(line => line.split('|')[1].trim())
      const version = versions.find(found => upstream === undefined || found.replace(/^\d+:/, '').replace(/[+-].*/, '') === upstream)
      return version && `${name}=${version}`
    }
  }
}

/** Makes it beside its place and moves it there when it is whole. Even debootstrap's own mounts end with it. */
async function bootstrap(mirror, folder) {
  mkdirSync(dirname(folder), { recursive: true })
  const making = mkdtempSync(`${folder}-`)
  try {
    await run('unshare', ['-m', 'sh', '-c',
      'eval "$(apt-config shell http_proxy Acquire::http::Proxy)"; export http_proxy; exec debootstrap "$@"',
      'sh', '--variant=minbase', '--include=ca-certificates', release, making, mirror])
    // As this machine's apt reaches the mirror, so shall the one inside.
    writeFileSync(join(making, 'etc/apt/apt.conf.d/00machine'), await run('apt-config', ['dump', '--format', '%F "%v";%n', 'Acquire']))
    writeFileSync(join(making, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n')
    chmodSync(making, 0o755)
    renameSync(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/** Those of the packages that `query`, a dpkg-query, does not know as installed. */
async function lacking(names, query) {
  const found = await Promise.all(names.map(name => query(['-W', '-f', '${db:Status-Status}', name]).catch(() => '')))
  return names.filter((_, i) => found[i] !== 'installed')
}

/** An apt-get that waits for another one to end. */
function patient(command) {
  return command.replace('apt-get', 'apt-get -qq -o DPkg::Lock::Timeout=300')
}

function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
