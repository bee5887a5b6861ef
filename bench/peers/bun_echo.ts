/** Bun's own sockets; runs under Bun. */
import { announce } from './announce.js'

interface BunSocket {
  data: Uint8Array[]
  /** How much of it was taken; the rest is the caller's to send when the socket drains. */
  write(data: Uint8Array): number
}

declare const Bun: {
  listen(options: {
    hostname: string
    port: number
    socket: {
      open(socket: BunSocket): void
      data(socket: BunSocket, data: Uint8Array): void
      drain(socket: BunSocket): void
    }
  }): { port: number }
}

const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open: socket => {
      socket.data = []
    },
    data: (socket, data) => {
      const sent = socket.data.length > 0 ? 0 : socket.write(data)
      if (sent < data.length) socket.data.push(data.slice(sent))
    },
    drain: socket => {
      for (let data = socket.data[0]; data; data = socket.data[0]) {
        const sent = socket.write(data)
        if (sent < data.length) {
          socket.data[0] = data.subarray(sent)
          return
        }
        socket.data.shift()
      }
    },
  },
})
announce(server.port)
