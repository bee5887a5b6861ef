// Connects as it is told to, line by line, and says what came of it.
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect, loop, type ConnectOptions, type SocketError } from 'socket2'

/** What it is asked for. */
export interface Order {
  port: number
  host: string
  options?: ConnectOptions
  /** Says `"begun"` once so many attempts are under way. */
  begun?: number
  /** And then blocks its thread until there is a file at this path. */
  until?: string
  /** Leaves the socket open. */
  keep?: boolean
}

/** What came of it, and how long that took in ms; `left`: how many sockets are open afterwards. */
export interface Outcome {
  ms: number
  left: number
  remote?: string
  local?: string
  error?: Told
}

interface Told {
  code: string
  timeout: number | undefined
  causes: string[] | undefined
  /** Whether its stack leads to this file. */
  here: boolean
}

for await (const line of createInterface(process.stdin)) console.log(JSON.stringify(await outcome(JSON.parse(line) as Order)))

async function outcome({ port, host, options, begun, until, keep }: Order): Promise<Outcome> {
  const before = performance.now()
  const connecting = connect(port, host, options)
  if (begun !== undefined) watch(begun, until)
  try {
    const socket = await connecting
    const ms = performance.now() - before
    const [remote, local] = [socket.remoteAddress, socket.localAddress].map(address => address!.address)
    if (!keep) socket.close()
    return { ms, remote: remote!, local: local!, left: left() }
  } catch (error) {
    return { ms: performance.now() - before, error: told(error as SocketError), left: left() }
  }
}

function watch(begun: number, until: string | undefined): void {
  const timer = setInterval(() => {
    if (left() < begun) return
    clearInterval(timer)
    console.log('"begun"')
    while (until !== undefined && !existsSync(until)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  }, 1)
}

function left(): number {
  return loop.stats().length
}

function told({ code, timeout, cause, stack }: SocketError): Told {
  const causes = (cause as AggregateError | undefined)?.errors.map((each: SocketError) => `${each.code} ${each.address}`)
  return { code, timeout, causes, here: stack?.includes('connector.js') ?? false }
}
