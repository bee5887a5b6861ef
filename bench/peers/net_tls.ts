/** TLS echo by node:tls with 'data' events, its fastest form. */
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { announce } from './announce.js'
import { serverKeys } from './keys.js'

const server = createServer({ ...serverKeys, noDelay: true }, socket => {
  socket.on('data', data => socket.write(data))
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port))
