// Races while there are no descriptors left, only one, and enough. Prints what came of each.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { connect, tcp, type SocketError } from 'socket2'

const servers = await Promise.all(Array.from({ length: 3 }, () => tcp().listen('127.0.0.1')))
const addresses = servers.map(({ localAddress }) => localAddress!)
const silent = await tcp().listen('127.0.0.1', 0, 0)
const waiting = [] // it has no room for more
for (;;) {
  try {
    waiting.push(await tcp().connect(silent.localAddress!, { timeout: 30 }))
  } catch {
    break
  }
}
// What is loaded and opened only when it is needed is there by now.
await connect([silent.localAddress!, silent.localAddress!.withPort(1)], { timeout: 30 }).catch(() => {})
const count = (): number => readdirSync('/proc/self/fd').length
const before = count()

const taken: number[] = []
for (;;) {
  try {
    taken.push(openSync('/dev/null', 'r'))
  } catch {
    break
  }
}
const none = await outcome(addresses)
closeSync(taken.pop()!)
const one = await outcome([silent.localAddress!, ...addresses.slice(0, 2)])
closeSync(taken.pop()!)
const enough = await outcome([silent.localAddress!, ...addresses.slice(0, 2)])
for (const fd of taken) closeSync(fd)
console.log(JSON.stringify({ none, one, enough, left: count() - before }))
process.exit()

async function outcome(all: typeof addresses): Promise<unknown> {
  try {
    const socket = await connect(all, { attemptDelay: 10, timeout: 500 })
    socket.close()
    return 'connected'
  } catch (error) {
    const { code, cause } = error as SocketError
    return [code, (cause as AggregateError | undefined)?.errors.map((each: SocketError) => each.code)]
  }
}
