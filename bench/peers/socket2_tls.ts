/** TLS echo by socket2/tls: an async function for each connection. The argument is the length of the messages. */
import { serve } from 'socket2'
import { announce } from './announce.js'
import { serverKeys } from './keys.js'

const size = Number(process.argv[2])
const server = await serve({ host: '127.0.0.1', tls: serverKeys }, async socket => {
  const buffer = Buffer.allocUnsafe(size)
  for (;;) {
    const length = await socket.recv(buffer)
    if (length === 0) break
    await socket.send(length === size ? buffer : buffer.subarray(0, length))
  }
})
announce(server.address.port)
