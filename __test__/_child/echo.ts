// An echo, for whichever copy of the library is given.
import type * as library from 'socket2'

/** Both ends of a connection. */
export async function connection({ tcp }: Pick<typeof library, 'tcp'>): Promise<[library.TcpSocket, library.TcpSocket]> {
  const server = await tcp().listen('127.0.0.1')
  const { address, port } = server.localAddress! // not the object itself, which another copy would not know
  const client = await tcp().connect(address, port)
  const peer = await server.accept()
  server.close()
  return [client, peer]
}

/** What comes back when 'echo' is sent there and back. */
export async function echo(socket2: Pick<typeof library, 'tcp'>): Promise<string> {
  const [client, peer] = await connection(socket2)
  const receiving = client.recv()
  await client.send('echo')
  await peer.send(await peer.recv())
  const text = String(await receiving)
  for (const socket of [client, peer]) socket.close()
  return text
}
