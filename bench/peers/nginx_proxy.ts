/** nginx as a proxy of TCP, where there is one with its stream module. The arguments: the port of the server behind it, and where nginx is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { announce } from './announce.js'

const [behind, where = ''] = process.argv.slice(2)
const { files: [program = '', module], env } = JSON.parse(where) as { files: string[]; env: NodeJS.ProcessEnv }
const folder = mkdtempSync(join(tmpdir(), 's2-'))
const free = createServer().listen(0, '127.0.0.1')
await once(free, 'listening')
const { port } = free.address() as AddressInfo
free.close()
writeFileSync(join(folder, 'nginx.conf'), `
  load_module ${module};
  daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
  events { worker_connections 4096; }
  stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${behind}; tcp_nodelay on; } }`)
const nginx = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
// A single process, which is gone when it is killed: the worker of a master would stay, and hold the output open.
process.once('SIGTERM', () => process.exit())
process.once('exit', () => {
  nginx.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
nginx.once('exit', () => process.exit(1))
for (;;) {
  const trying = connect(port, '127.0.0.1')
  const there = await once(trying, 'connect').then(() => true, () => false)
  trying.destroy()
  if (there) break
}
announce(port)
