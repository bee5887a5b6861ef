// What only a process can show of socket2/dgram, which is all that is loaded here: each case leaves something behind and says so.
import { createSocket, type Socket } from 'socket2/dgram'

const path = process.argv[3] ?? ''
// Nothing here is collected: that would close it.
const socket = createSocket('unix_dgram')

const cases: Record<string, () => unknown> = {
  'neither bound nor connected': () => {},
  'bound': () => socket.bind(path),
  'bound and closed': () => {
    socket.bind(path)
    setTimeout(() => socket.close(() => console.log('closed')), 20)
  },
  'unref': () => socket.unref().bind(path),
  'unref while bound': () => {
    socket.bind(path)
    setImmediate(() => socket.unref())
  },
  'ref after unref': () => socket.unref().bind(path).ref(),
  'connected': () => {
    createSocket('unix_dgram').unref().bind(path)
    socket.connect(path)
  },
  'congested': () => {
    createSocket('unix_dgram', () => {}).unref().bind(path)
    fill(socket.connect(path).once('writable', () => console.log('writable')))
  },
  'a listener that throws': () => {
    process.on('uncaughtException', (error, origin) => console.log(`${origin}: ${error.message}`))
    socket.on('message', (data, { size }) => {
      if (size === 0) socket.close()
      throw new Error(`cannot take '${String(data)}'`)
    })
    socket.bind(path)
    for (const text of ['one', 'two', '']) socket.send(text, path)
  }
}

function fill(sender: Socket): void {
  let full = false
  sender.once('congestion', () => (full = true))
  while (!full) sender.send('more')
}

cases[process.argv[2] ?? '']!()
console.log('left')
