/** Deno's own sockets, an async function for each connection; runs under Deno. */
import { announce } from './announce.js'

interface DenoConnection {
  read(into: Uint8Array): Promise<number | null>
  write(data: Uint8Array): Promise<number>
  setNoDelay(): void
  close(): void
}

declare const Deno: {
  listen(options: { hostname: string; port: number }): AsyncIterable<DenoConnection> & { addr: { port: number } }
}

const listener = Deno.listen({ hostname: '127.0.0.1', port: 0 })
announce(listener.addr.port)
for await (const connection of listener) void echo(connection)

async function echo(connection: DenoConnection): Promise<void> {
  const buffer = new Uint8Array(65_536)
  connection.setNoDelay()
  try {
    for (;;) {
      const length = await connection.read(buffer)
      if (length === null) break
      for (let sent = 0; sent < length; ) sent += await connection.write(buffer.subarray(sent, length))
    }
  } finally {
    connection.close()
  }
}
