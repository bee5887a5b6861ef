/** node:net as an async function would use it: `for await`. */
import { createServer, type AddressInfo } from 'node:net'
import { announce } from './announce.js'

const server = createServer({ noDelay: true }, async socket => {
  try {
    for await (const data of socket) socket.write(data)
  } finally {
    socket.destroy()
  }
})
server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port))
