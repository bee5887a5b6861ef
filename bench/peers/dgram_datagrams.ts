/** node:dgram with 'message' events. The arguments are those of socket2_datagrams. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { announce } from './announce.js'
import { LOOK, RECEIVE_BUFFER, sendFor, steps } from './steps.js'

const [how, number] = [process.argv[2], Number(process.argv[3])]
const answer = Buffer.from('!')

const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER })

if (how === 'send') {
  // Connected, so that no address is looked up for a datagram.
  socket.connect(number, '127.0.0.1')
  await once(socket, 'connect')
  const data = Buffer.alloc(1_200)
  await sendFor(() => new Promise((resolve, reject) => {
    for (let i = 1; i < LOOK; i++) socket.send(data)
    socket.send(data, error => (error ? reject(error) : resolve(LOOK)))
  }))
}

const complete = steps(number)
socket.on('message', (data, { port, address }) => {
  if (how === 'echo') socket.send(data, port, address)
  else if (complete(1)) socket.send(answer, port, address)
})
socket.bind(0, '127.0.0.1', () => announce(socket.address().port))
