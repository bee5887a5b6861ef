// A server that is replaced while it runs, by a new version of itself, without refusing a connection: start it again, with the same path.
import { fromFd, serve, SocketError, tcp, type HandlerContext, type Server, type TcpSocket } from 'socket2'
import { command, ending, Misuse, number } from './parts/command.js'

const USAGE = `Usage: restart path [port]
  path    where the processes meet, one per server: only who may write there can take the server over
  port    of the first one (any free one)
  --help  this text
Answers each line with its process id and the line. Whoever starts it again with the same path replaces the one that
runs: the new process gets the listening socket of the old one over the unix socket at the path, begins to accept, and
says so; the old one then stops accepting, lets its connections come to their end, and exits.
Ctrl+C ends it without a successor. Linux, macOS and FreeBSD: Windows lets no sockets travel this way.`

/** How long the connections of a server that is replaced have to come to their end, in milliseconds. */
const GRACE = 10_000

/** How long the other process may take to answer, in milliseconds. */
const PATIENCE = 5_000

await command(USAGE, {}, async ({ positionals: [path, port = '0', surplus] }) => {
  if (path === undefined || surplus !== undefined) throw new Misuse(path === undefined ? 'a path is needed' : `'${surplus}' is too much`)
  await main(`unix:${path}`, number('port', port, 0, 65535))
})

async function main(place: string, port: number): Promise<void> {
  const predecessor = await visit(place)
  const listener = predecessor && await takeOver(predecessor)
  const server = await serve(listener ? { listener } : { host: '127.0.0.1', port }, answer)
  if (predecessor) await replace(predecessor)

  const control = await tcp('unix', undefined, { replaceStale: true }).listen(place)
  ending().addEventListener('abort', () => {
    control.close()
    void server.close({ grace: GRACE })
  })
  console.log(`${process.pid} serves at ${server.address}`)

  for await (const successor of control.connections()) {
    if (await handOver(server, control, successor)) break
  }
  await server.close({ grace: GRACE })
}

/** What the server does. When it is being replaced a connection ends after the answer it waits for. */
async function answer(socket: TcpSocket, { signal }: HandlerContext): Promise<void> {
  for await (const line of socket.reader().lines()) {
    await socket.send(`${process.pid} ${line}\n`)
    if (signal.aborted) return
  }
}

/** The server that runs; `undefined` when none does. */
async function visit(place: string): Promise<TcpSocket | undefined> {
  try {
    return await tcp('unix').connect(place)
  } catch (error) {
    if (error instanceof SocketError && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')) return undefined
    throw error
  }
}

async function takeOver(predecessor: TcpSocket): Promise<TcpSocket> {
  const { handles: [fd] } = await predecessor.recvHandles(1, { timeout: PATIENCE })
  if (fd === undefined) throw new Error('the server that runs gave its socket to nobody')
  return fromFd(fd, 'tcp')
}

/** Says that we accept now, and waits until the path is ours: that is when the other one hangs up. */
async function replace(predecessor: TcpSocket): Promise<void> {
  await predecessor.send('ready')
  await predecessor.recvAll({ timeout: PATIENCE })
  predecessor.close()
}

/** Gives the listening socket to a successor. `true`: it accepts, and this one is not needed any more. */
async function handOver(server: Server, control: TcpSocket, successor: TcpSocket): Promise<boolean> {
  try {
    await successor.sendHandles('L', [server.listener])
    const ready = String(await successor.recvExact(5, { timeout: PATIENCE })) === 'ready'
    // Its path goes with it, so it has to be closed before the successor makes its own there.
    if (ready) control.close()
    return ready
  } catch (error) {
    console.error(`${process.pid} goes on: ${(error as Error).message}`)
    return false
  } finally {
    successor.close()
  }
}
