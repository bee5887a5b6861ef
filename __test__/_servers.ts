/**
 * Servers and programs of others for the tests to talk to: each server is started for one test file, on loopback and in a fresh folder,
 * as a user who may do nothing else, and ends with it; at the latest when the process of the tests does.
 */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { Reason } from './_system.js'

type Name = 'postgres' | 'redis' | 'nginx' | 'curl' | 'openssl'
interface Found {
  files: string[]
  unpacked: boolean
  env: NodeJS.ProcessEnv
}

const { find, folder: unpackedTo } = createRequire(import.meta.url)('../../scripts/servers.cjs') as {
  find(name: Name): Found | null
  folder: string
}

/** How long, in ms, anything here may take that takes some hundred milliseconds. */
const PATIENCE = 30_000
/** PostgreSQL refuses to run as root, and the others need not. */
const NOBODY = process.getuid?.() === 0 ? 65_534 : undefined
/** Below the ports that systems give to who asks for any, so that only a server can have taken one. */
const PORTS = { first: 12_000, count: 20_000 }

/** Why a program is not to be had. */
export function lacksProgram(name: Name): Reason {
  if (process.platform !== 'linux') return `${name} is run on Linux only`
  const found = find(name)
  if (found === null) return `${name} is not on this machine, and has not been fetched from Debian, which npm test does`
  // What is unpacked may be another system's, where this one is stood in for.
  const [file = ''] = found.files
  const { status } = spawnSync(file, [versionOf[name]], { env: { ...process.env, ...found.env } })
  if (status !== 0) return `${name} does not run on this system`
  return name === 'postgres' && nameless() && 'postgres does not run as a user who has no name'
}

/** Whether the user of this process is a number only. */
function nameless(): boolean {
  try {
    userInfo()
    return false
  } catch {
    return true
  }
}

const versionOf = { postgres: '--version', redis: '--version', nginx: '-v', curl: '--version', openssl: 'version' }

/** How a program has ended, and what it wrote. */
export interface Ended {
  code: number
  stdout: Buffer
  stderr: string
}

/** Runs `curl`, without what its user has set for it, to its end. */
export async function curl(args: readonly string[], input: string | Uint8Array = ''): Promise<Ended> {
  return await runToEnd('curl', ['--disable', '--silent', '--show-error', '--max-time', `${PATIENCE / 1000}`, ...args], input)
}

/** Runs `openssl` to its end; `input` is all that it reads. */
export async function openssl(args: readonly string[], input: string | Uint8Array = ''): Promise<Ended> {
  return await runToEnd('openssl', args, input)
}

function runToEnd(name: Name, args: readonly string[], input: string | Uint8Array): Promise<Ended> {
  const { files: [file = ''], env } = find(name)!
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, {
      env: { PATH: process.env['PATH'], ...env }, encoding: 'buffer', timeout: PATIENCE, killSignal: 'SIGKILL', maxBuffer: 256 << 20
    }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number') resolve({ code, stdout, stderr: String(stderr) })
      else reject(new Error(`${name} ${args.join(' ')}: ${error?.killed ? `not done within ${PATIENCE} ms` : error?.message}\n${String(stderr)}`, { cause: error }))
    })
    // It may end before it has read all.
    child.stdin!.on('error', () => {}).end(input)
  })
}

/** A server for one test file. Without it, `reason` says why. */
export abstract class Program {
  /** Why it cannot be had. */
  readonly reason: Reason
  /** Its folder, for its files and unix sockets; '' before it starts. */
  home = ''
  /** Ports of 127.0.0.1 that are its own. */
  ports: number[] = []
  /** All that it has written. */
  log = ''
  /** `files`: its programs, and what else is found with them. */
  protected found: Found = { files: [], unpacked: false, env: {} }
  /** What it writes once it answers. */
  protected abstract readonly ready: RegExp
  /** What makes it end at once. */
  protected readonly ending: NodeJS.Signals = 'SIGTERM'
  #process: ChildProcess | undefined
  /** How much of the log has been shown. */
  #told = 0

  constructor(protected readonly name: Name) {
    this.reason = lacksProgram(name)
    if (this.reason) return
    test.before(`starting ${name}`, () => this.start())
    test.afterEach.always(`telling what ${name} has to say of a failure`, t => {
      const news = this.log.slice(this.#told)
      if (t.passed || news === '') return
      this.#told = this.log.length
      t.log(`${name} says:\n${news.slice(-8192)}`)
    })
    test.after.always(`ending ${name}`, async () => {
      await this.stop()
      rmSync(this.home, { recursive: true, force: true })
    })
  }

  get port(): number {
    return this.ports[0]!
  }

  get pid(): number {
    return this.#process!.pid!
  }

  /** Makes its files, once. */
  protected async prepare(): Promise<void> {}

  /** The arguments that it is started with. */
  protected abstract args(): string[]

  /** Starts it, at its ports and with its files if it was there before. Resolves when it answers. */
  async start(): Promise<void> {
    const again = this.home !== ''
    if (!again) {
      this.#settle()
      await this.prepare()
    }
    for (let attempts = again ? 1 : 20; ; attempts--) {
      if (!again) this.ports = Array.from({ length: 3 }, () => PORTS.first + Math.floor(Math.random() * PORTS.count))
      const outcome = await this.#launch()
      if (outcome === 'ready') return
      await this.stop('SIGKILL')
      if (outcome !== 'taken' || attempts === 1) throw new Error(`${this.name} does not start: ${outcome}\n${this.log}`)
    }
  }

  /** Ends it. Its files stay. */
  async stop(signal: NodeJS.Signals = this.ending): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    await ended
    clearTimeout(late)
  }

  /** Writes a file in its folder; gives its path. */
  readonly write = (name: string, text: string | Buffer): string => {
    const path = join(this.home, name)
    writeFileSync(path, text)
    return path
  }

  /** Runs another of its programs to its end. */
  protected async run(file: string, args: readonly string[]): Promise<void> {
    const child = this.#spawn(file, args)
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
    clearTimeout(late)
    if (code !== 0) throw new Error(`${[file, ...args].join(' ')} failed\n${this.log}`)
  }

  /** Its folder, and its programs where that user can reach them. */
  #settle(): void {
    this.home = mkdtempSync(join(tmpdir(), `s2-${this.name}-`))
    this.found = find(this.name)!
    if (NOBODY === undefined) return
    chownSync(this.home, NOBODY, NOBODY)
    if (!this.found.unpacked || isOpen(unpackedTo)) return
    const copy = join(this.home, 'unpacked')
    mkdirSync(copy)
    cpSync(unpackedTo, copy, { recursive: true, verbatimSymlinks: true })
    const { files, unpacked, env } = this.found
    const moved = (text: string): string => text.replaceAll(unpackedTo, copy)
    this.found = { files: files.map(moved), unpacked, env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, moved(value!)])) }
  }

  /** Resolves to how it begins: it answers, a port is taken, or what else has befallen it. */
  async #launch(): Promise<string> {
    const child = this.#process = this.#spawn(this.found.files[0]!, this.args())
    const before = this.log.length
    let late: NodeJS.Timeout | undefined
    const outcome = await new Promise<string>(resolve => {
      late = setTimeout(() => resolve(`it does not answer within ${PATIENCE} ms`), PATIENCE)
      const look = (): void => {
        const said = this.log.slice(before)
        if (/address already in use/i.test(said)) resolve('taken')
        else if (this.ready.test(said)) resolve('ready')
      }
      child.stdout!.on('data', look)
      child.stderr!.on('data', look)
      child.once('error', error => resolve(String(error)))
      child.once('close', (code, signal) => resolve(`it has ended (${signal ?? code})`))
    })
    clearTimeout(late)
    return outcome
  }

  /** Starts one of its programs: as another user, and to be ended with us. Its standard input stays open. */
  #spawn(file: string, args: readonly string[]): ChildProcess {
    const user = NOBODY === undefined ? [] : ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups']
    const child = spawn('setpriv', ['--pdeathsig', this.ending, ...user, file, ...args], {
      cwd: this.home,
      env: { PATH: process.env['PATH'], HOME: this.home, LC_ALL: 'C', TZ: 'UTC', ...this.found.env }
    })
    for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', (text: string) => (this.log += text))
    return child
  }
}

/** PostgreSQL: user `postgres`, who over TCP needs `password`, and over the unix socket in `home` nothing. */
export class Postgres extends Program {
  readonly password = 'sesame'
  protected override readonly ready = /database system is ready to accept connections/
  protected override readonly ending = 'SIGQUIT'

  constructor() {
    super('postgres')
  }

  /** Where its unix socket is. */
  get path(): string {
    return join(this.home, `.s.PGSQL.${this.port}`)
  }

  protected override async prepare(): Promise<void> {
    const secret = this.write('password', this.password)
    await this.run(this.found.files[1]!, [
      '--pgdata=data', '--username=postgres', `--pwfile=${secret}`, '--auth-local=trust', '--auth-host=scram-sha-256',
      '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'
    ])
  }

  protected override args(): string[] {
    const settings = {
      port: this.port, listen_addresses: '127.0.0.1', unix_socket_directories: this.home, fsync: 'off', synchronous_commit: 'off',
      full_page_writes: 'off', autovacuum: 'off', jit: 'off', shared_buffers: '16MB', dynamic_shared_memory_type: 'mmap'
    }
    return ['-D', 'data', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  }
}

/** Redis, which keeps nothing. */
export class Redis extends Program {
  protected override readonly ready = /Ready to accept connections|ready to accept connections at/i

  constructor() {
    super('redis')
  }

  /** Where its unix socket is. */
  get path(): string {
    return join(this.home, 'redis.sock')
  }

  protected override args(): string[] {
    return ['--bind', '127.0.0.1', '--port', `${this.port}`, '--unixsocket', this.path, '--save', '', '--appendonly', 'no', '--dir', this.home]
  }
}

/** What nginx is to do. */
export interface NginxSettings {
  /** Called once, before it is started: for what it serves, and what is behind it. */
  first?: (nginx: Nginx) => Promise<void>
  /** The contents of its block `http`. */
  http?: (nginx: Nginx) => string
  /** The contents of its block `stream`. */
  stream?: (nginx: Nginx) => string
}

/** nginx. */
export class Nginx extends Program {
  protected override readonly ready = /start worker process \d+/

  constructor(private readonly settings: NginxSettings) {
    super('nginx')
  }

  protected override async prepare(): Promise<void> {
    await this.settings.first?.(this)
  }

  protected override args(): string[] {
    const { http, stream } = this.settings
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${join(this.home, kind)};`)
    const path = this.write('nginx.conf', `
      load_module ${this.found.files[1]};
      daemon off;
      worker_processes 1;
      pid ${join(this.home, 'nginx.pid')};
      error_log stderr notice;
      events { worker_connections 1024; }
      ${http ? `http {
        access_log off;
        ${temporary.join('\n')}
        ${http(this)}
      }` : ''}
      ${stream ? `stream { ${stream(this)} }` : ''}`)
    return ['-p', this.home, '-e', 'stderr', '-c', path]
  }
}

/** Whether everybody can reach a folder. */
function isOpen(path: string): boolean {
  const open = existsSync(path) && (statSync(path).mode & 0o001) !== 0
  return open && (dirname(path) === path || isOpen(dirname(path)))
}
