// Counts its descriptors while handles come: to a plain receive, to a process that may open few more, to one that has a child.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { pair } from 'socket2'

const open = (): number => readdirSync('/dev/fd').length
const [one, other] = pair('tcp')
const waiting = other.recv()
await one.send('starts the poller, whose descriptors then are counted from the beginning')
await waiting

const before = open()
await one.sendHandles('x', [one, one, one])
await other.recv()
const afterRecv = open() - before

await one.sendHandles('x', [one])
const kept = (await other.recvHandles()).handles[0]!
const { stdout } = spawnSync('sh', ['-c', `test -e /dev/fd/${kept} && echo inherited`], { encoding: 'utf8' })
closeSync(kept)

await one.sendHandles('x', Array.from({ length: 20 }, () => one))
const fillers: number[] = []
try {
  for (;;) fillers.push(openSync('/dev/null', 'r'))
} catch {
  for (const fd of fillers.splice(0, 5)) closeSync(fd)
}
const { handles, truncated } = await other.recvHandles()
for (const fd of [...fillers, ...handles]) closeSync(fd)
console.log(JSON.stringify({ afterRecv, truncated, few: handles.length <= 5, left: open() - before, inherited: stdout }))
for (const socket of [one, other]) socket.close()
