// How many threads look up names, after literal addresses and after a name.
import { readdirSync, readFileSync } from 'node:fs'
import { addr, tcp, udp } from 'socket2'

const threads = (): number =>
  readdirSync('/proc/self/task').filter((task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').startsWith('socket2-lookup')).length

for (const host of ['127.0.0.1', '::1', 'fe80::1%2', '*', false, 'unix:/x'] as const) await addr(host, 80)
await addr({ host: '127.0.0.1', flags: { canonName: true } })
const server = await tcp().listen('127.0.0.1', 0)
const client = await tcp().connect('127.0.0.1', server.localAddress!.port)
const socket = udp()
await socket.send('x', '127.0.0.1', server.localAddress!.port)
for (const each of [server, client, socket]) each.close()
const afterLiterals = threads()
await addr('localhost')
console.log(JSON.stringify({ afterLiterals, afterName: threads() }))
