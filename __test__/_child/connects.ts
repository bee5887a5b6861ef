// Connects to the unix path it is given, says who it is, and stays until the other end goes.
import { tcp } from 'socket2'

const socket = await tcp('unix').connect(process.argv[2]!)
await socket.send(JSON.stringify({ pid: process.pid, uid: process.geteuid!(), gid: process.getegid!() }))
socket.shutdown('write')
await socket.recvAll()
socket.close()
