// Connects to a unix path, receives a listener over it, and serves one connection on that: says which process it is.
import { fromFd, tcp } from 'socket2'

const control = await tcp('unix').connect(process.argv[2]!)
const { data, handles } = await control.recvHandles()
const listener = fromFd(handles[0]!, 'tcp')
await control.send(`got ${data}`)
const connection = await listener.accept()
await connection.send(`process ${process.pid}`)
for (const socket of [connection, listener, control]) socket.close()
