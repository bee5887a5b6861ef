// A chat room, and who takes part in it: node build/examples/chat.js serve --port 7000, and: node build/examples/chat.js join 127.0.0.1:7000
// Whatever sends and shows lines can take part, such as nc.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { serve, type TcpSocket } from 'socket2'
import { bold, command, dim, ending, harmless, Misuse, number, why } from './parts/command.js'
import { connect, place } from './parts/place.js'
import { Room } from './parts/room.js'

const USAGE = `Usage: chat serve [options]
       chat join [--name name] host:port
  --host, --port  where the room is (127.0.0.1, any free port; '*' is everywhere)
  --most count    how many may be in it (1000)
  --name name     to join by
  --help          this text
In the room: /nick name, /who, /me does something, /quit. Ctrl+C ends either of them.`

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '0' }, most: { type: 'string', default: '1000' }, name: { type: 'string' }
} as const

/** How long those who are there have to be told that the room closes, and how long to wait for a room, in ms. */
const [GRACE, PATIENCE] = [1000, 10_000]
/** The longest line of a room, in bytes. */
const LONGEST = 64 << 10

await command(USAGE, OPTIONS, async ({ values: { host, name, ...values }, positionals: [verb, where, surplus] }) => {
  const [port, most] = [number('--port', values.port, 0, 65535), number('--most', values.most, 1, 100_000)]
  if (surplus !== undefined) throw new Misuse(`'${surplus}' is too much`)
  if (verb === 'join' && where !== undefined) {
    const signal = ending()
    using socket = await connect(place(where), { timeout: PATIENCE, signal })
    return await join(socket, name, signal)
  }
  if (verb !== 'serve' || where !== undefined) throw new Misuse("what to do is 'serve' or 'join host:port'")

  const room = new Room()
  const onError = (error: unknown): void => console.error(`a guest was lost: ${why(error)}`)
  const server = await serve({ host, port, maxConnections: most, onError }, async (socket, { signal }) => {
    socket.setOption('keepAlive', true) // a room may be silent for hours, but who has vanished is to be found out
    socket.setOption('sendBufferSize', LONGEST) // what the system keeps for who does not read shall be little, too
    await room.visit(socket, signal)
  })
  console.log(`the room is at ${bold(String(server.address))}`)
  await once(ending(), 'abort')
  await server.close({ grace: GRACE })
})

/** Shows what is said in the room, and says there what is typed, until either ends. */
async function join(socket: TcpSocket, name: string | undefined, signal: AbortSignal): Promise<void> {
  const input = createInterface({ input: process.stdin, output: process.stdout, terminal: process.stdin.isTTY && process.stdout.isTTY })
  if (name !== undefined) await socket.send(`/nick ${name}\n`, { timeout: PATIENCE })
  const saying = say(socket, input)
  try {
    for await (const line of socket.reader({ limit: LONGEST }).lines({ signal })) {
      if (input.terminal) process.stdout.write('\r\x1b[K') // above what is being typed, which comes back below
      console.log(line.startsWith('--') ? dim(harmless(line)) : harmless(line))
      if (input.terminal) input.prompt(true)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    if (input.terminal) process.stdout.write('\r\x1b[K')
    input.close()
    process.stdin.destroy()
    await saying
  }
}

/** Says each line, and in the end that no more are coming: what others say is shown until the room has understood. */
async function say(socket: TcpSocket, input: ReturnType<typeof createInterface>): Promise<void> {
  try {
    if (input.terminal) input.prompt()
    for await (const line of input) {
      await socket.send(`${line}\n`)
      if (input.terminal) input.prompt()
    }
    socket.shutdown('write')
  } catch {
    // The room has gone, as whoever reads from it is about to see.
  }
}
