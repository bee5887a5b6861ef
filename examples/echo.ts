// An echo server: sends back what it gets, and says who came and went. In one terminal: node build/examples/echo.js --port 7000,
// in another: nc 127.0.0.1 7000
import { once } from 'node:events'
import { serve, type HandlerContext, type SocketError, type TcpSocket } from 'socket2'
import { bold, command, dim, duration, ending, Misuse, number, seconds, size, why } from './parts/command.js'

const USAGE = `Usage: echo [options]
  --host host      where to listen (127.0.0.1; '*' is everywhere)
  --port port      and at which port (any free one)
  --idle seconds   a connection may be silent (300)
  --grace seconds  connections have to end when the server does (5)
  --help           this text
Ctrl+C ends it.`

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '0' },
  idle: { type: 'string', default: '300' }, grace: { type: 'string', default: '5' }
} as const

/** What one connection waits in; a client that does not read its echo holds up itself, nobody else. */
const SPACE = 16 << 10

await command(USAGE, OPTIONS, async ({ values: { host, ...values }, positionals: [surplus] }) => {
  if (surplus !== undefined) throw new Misuse(`'${surplus}' is too much`)
  const [port, idleTimeout, grace] = [number('--port', values.port, 0, 65535), seconds('--idle', values.idle), seconds('--grace', values.grace)]
  let [count, bytes] = [0, 0]
  const server = await serve({ host, port, idleTimeout }, async (socket, context) => {
    count++
    bytes += await echo(socket, context)
  })
  console.log(`listening on ${bold(String(server.address))}`)

  await once(ending(), 'abort')
  if (server.connections > 0) console.log(`closing; connections that are there have ${duration(grace)} to end: ${server.connections}`)
  await server.close({ grace })
  console.log(`served ${count} connections, ${size(bytes)}`)
})

/** Echoes until the other side ends, and resolves to how many bytes came; what befalls a connection is told, and is its end only. */
async function echo(socket: TcpSocket, { signal }: HandlerContext): Promise<number> {
  const [who, since] = [socket.remoteAddress, performance.now()]
  console.log(`${who} came`)
  let how = 'left'
  try {
    const buffer = Buffer.allocUnsafeSlow(SPACE)
    for (let length; (length = await socket.recv(buffer)) > 0;) await socket.send(buffer.subarray(0, length))
  } catch (error) {
    const closed = (error as SocketError).code === 'ERR_SOCKET_CLOSED'
    how = closed ? `was closed, ${signal.aborted ? 'its time being over' : 'silent for too long'}` : `was lost: ${why(error)}`
  }
  console.log(`${who} ${how} ${dim(`after ${duration(performance.now() - since)}`)}, sent ${socket.bytesRead} bytes`)
  return socket.bytesRead
}
