// Started as systemd starts a service with sockets: prints what it was given, and which of that a child of its own has.
import { spawnSync } from 'node:child_process'
import { fromFd, listenFdNames, listenFds } from 'socket2'

const fds = listenFds()
const { stdout } = spawnSync('sh', ['-c', 'for fd in 3 4; do test -e /dev/fd/$fd && echo $fd; done'], { encoding: 'utf8' })
const sockets = fds.map(fd => fromFd(fd))
console.log(JSON.stringify({ fds, names: listenFdNames(), types: sockets.map(({ type }) => type), inherited: stdout }))
for (const socket of sockets) if (socket.type === 'tcp') await (await socket.accept()).send('activated')
for (const socket of sockets) socket.close()
