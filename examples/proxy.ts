// A TCP reverse proxy: spreads connections over several servers, and leaves out those that are down.
// node build/examples/proxy.js --port 8080 127.0.0.1:9001 127.0.0.1:9002
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { proxyHeader, serve, type TcpSocket } from 'socket2'
import { Backend, Balancer } from './parts/balancer.js'
import { bold, command, ending, Misuse, number, seconds, why } from './parts/command.js'
import { join } from './parts/copy.js'
import { place } from './parts/place.js'

const USAGE = `Usage: proxy [options] backend...
  backend            host:port, [::1]:80 or unix:/path; each gets its turn
  --host host        where to listen (127.0.0.1; '*' is everywhere)
  --port port        and at which port (any free one)
  --check seconds    from one health check of the backends to the next (5)
  --connect seconds  to wait for a backend to accept (3)
  --idle seconds     a connection may be silent (300)
  --most count       connections at a time; each takes two descriptors (4096)
  --grace seconds    connections have to end when Ctrl+C or SIGTERM ends it (10)
  --cert, --key      files (PEM), to talk TLS with the clients
  --send-proxy       tells backends by a PROXY header (version 2) who the client is
  -v                 tells of each connection that breaks
  --help             this text
SIGUSR2 makes it tell its statistics, as it does in the end.`

const text = (value: string) => ({ type: 'string', default: value }) as const
const OPTIONS = {
  host: text('127.0.0.1'), port: text('0'), check: text('5'), connect: text('3'), idle: text('300'), most: text('4096'), grace: text('10'),
  cert: { type: 'string' }, key: { type: 'string' }, 'send-proxy': { type: 'boolean', default: false }, verbose: { type: 'boolean', short: 'v' }
} as const

await command(USAGE, OPTIONS, async ({ values: { host, verbose, ...values }, positionals }) => {
  const backends = positionals.map(text => new Backend(place(text)))
  if (backends.length === 0) throw new Misuse('at least one backend is needed')
  const [port, maxConnections] = [number('--port', values.port, 0, 65535), number('--most', values.most, 1, 1_000_000)]
  const [interval, timeout] = [seconds('--check', values.check), seconds('--connect', values.connect)]
  const [idleTimeout, grace] = [seconds('--idle', values.idle), seconds('--grace', values.grace)]

  const { cert, key, 'send-proxy': header } = values
  if ((cert === undefined) !== (key === undefined)) throw new Misuse('--cert and --key go together')
  const tls = cert !== undefined && key !== undefined ? { cert: await readFile(cert), key: await readFile(key) } : undefined
  const balancer = new Balancer(backends, timeout)
  await balancer.check()
  const server = await serve({ host, port, maxConnections, idleTimeout, tls }, async (client, { signal }) => {
    try {
      await relay(client, balancer, header, signal)
    } catch (error) {
      if (verbose) console.error(`a connection broke: ${why(error)}`)
    }
  })
  console.log(`listening on ${bold(String(server.address))}, ${balancer.up} of ${backends.length} backends are up`)
  const checks = setInterval(() => void balancer.check(), interval).unref()
  const tell = (): void => console.log(balancer.statistics())
  process.on('SIGUSR2', tell)

  await once(ending(), 'abort')
  clearInterval(checks)
  if (server.connections > 0) console.log(`closing; connections that are there have ${grace / 1000} s to end: ${server.connections}`)
  await server.close({ grace })
  process.off('SIGUSR2', tell)
  tell()
})

/** One client's connection: finds a backend, and copies until both directions have ended. */
async function relay(client: TcpSocket, balancer: Balancer, header: boolean, signal: AbortSignal): Promise<void> {
  const [backend, socket] = await balancer.connect(signal).catch((error: unknown) => {
    client.reset() // a client that tries again is better off than one that waits
    throw error
  })
  try {
    if (header) await socket.send(proxyHeader({ source: client.remoteAddress, destination: client.localAddress }))
    await join(client, socket)
  } finally {
    backend.leave(socket)
  }
}
