// A port forwarder: what connects here goes on there. node build/examples/forward.js 8080 example.org:80
import { once } from 'node:events'
import { serve, type OperationOptions, type TcpSocket } from 'socket2'
import { bold, command, dim, duration, ending, Misuse, seconds, size, why } from './parts/command.js'
import { join } from './parts/copy.js'
import { connect, place, type Place } from './parts/place.js'

const USAGE = `Usage: forward [options] from to
  from, to           8080 (at loopback), host:port, [::1]:80 or unix:/path; from port 0 is any free one
  -v                 tells of each connection
  --connect seconds  to wait for the other side to accept (10)
  --idle seconds     a connection may be silent (for ever)
  --grace seconds    connections have to end when Ctrl+C ends it (2)
  --help             this text
Who may connect here may go there: from is at loopback unless it names a host.`

const OPTIONS = {
  verbose: { type: 'boolean', short: 'v' }, connect: { type: 'string', default: '10' }, idle: { type: 'string' }, grace: { type: 'string', default: '2' }
} as const

/** How many connections there are at most: each takes two descriptors, and up to 128 KiB while both sides read slowly. */
const MOST = 4096

await command(USAGE, OPTIONS, async ({ values, positionals }) => {
  const [from, to] = positionals.map(place)
  if (from === undefined || to === undefined || positionals.length > 2) throw new Misuse('two places are needed, from where and to where')
  const [timeout, grace] = [seconds('--connect', values.connect), seconds('--grace', values.grace)]
  const idleTimeout = values.idle === undefined ? Infinity : seconds('--idle', values.idle)
  const where = from.host.startsWith('unix:') ? { path: from.host.slice('unix:'.length) } : { host: from.host, port: from.port }

  let count = 0
  const server = await serve({ ...where, idleTimeout, maxConnections: MOST }, async (client, { signal }) => {
    await pass(client, ++count, to, { timeout, signal }, values.verbose ? console.log : () => {})
  })
  console.log(`${bold(String(server.address))} leads to ${bold(to.text)}`)
  await once(ending(), 'abort')
  await server.close({ grace })
  console.log(`forwarded ${count} connections`)
})

/** One connection, from its beginning to its end. */
async function pass(client: TcpSocket, id: number, to: Place, op: OperationOptions, tell: (line: string) => void): Promise<void> {
  const since = performance.now()
  tell(`#${id} from ${client.remoteAddress}`)
  let target
  try {
    target = await connect(to, op)
  } catch (error) {
    client.reset() // as the other side would, if it were here
    if (!op.signal?.aborted) console.error(`#${id} came to nothing: ${why(error)}`)
    return
  }
  using socket = target
  let how = 'ended'
  try {
    // Whoever vanishes without a word is found out, sooner or later.
    for (const end of [client, socket]) if (end.family !== 'unix') end.setOption('keepAlive', true)
    await join(client, socket)
  } catch (error) {
    how = `broke: ${why(error)}`
  }
  tell(`#${id} ${how} ${dim(`after ${duration(performance.now() - since)}`)}, ${size(client.bytesRead)} there, ${size(socket.bytesRead)} back`)
}
