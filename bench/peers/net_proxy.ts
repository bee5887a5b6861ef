/** The proxy that everybody writes with node:net. The argument is the port of the server behind it. */
import { connect, createServer, type AddressInfo } from 'node:net'
import { announce } from './announce.js'

const behind = Number(process.argv[2])
const server = createServer({ noDelay: true }, client => {
  const socket = connect({ port: behind, host: '127.0.0.1', noDelay: true })
  client.pipe(socket).pipe(client)
  client.on('error', () => socket.destroy())
  socket.on('error', () => client.destroy())
})
server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port))
