/** node:net with 'data' events, in one process or in two of node:cluster. The arguments say which, and what it does. */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { announce } from './announce.js'
import type { Service } from './service.js'
import { work } from './work.js'

const [how, text = ''] = process.argv.slice(2)
const { rounds, greets, once: single = false } = JSON.parse(text) as Service

if (how === 'cluster' && cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()]
  const [[{ port }]] = await Promise.all(workers.map(worker => once(worker, 'listening') as Promise<[AddressInfo]>)) as [[AddressInfo]]
  announce(port)
} else {
  const server = createServer({ noDelay: true }, socket => {
    if (greets) socket.write(`${process.pid}\n`)
    socket.on('data', data => {
      if (rounds > 0) work(rounds)
      if (single) socket.end(data)
      else socket.write(data)
    })
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1', () => {
    if (cluster.isPrimary) announce((server.address() as AddressInfo).port)
  })
}
