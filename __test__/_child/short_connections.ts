// Short connections to examples/restart.ts, 20 at a time: connect, request, reply, close. Prints the number of each process that replies
// once, and ends when its input does: with how many there were, and what went wrong.
import { tcp } from 'socket2'

const address = { host: '127.0.0.1', port: Number(process.argv[2]) }
const seen = new Set<string>()
const failures: string[] = []
let count = 0
let over = false
process.stdin.once('end', () => (over = true)).resume()

await Promise.all(Array.from({ length: 20 }, async () => {
  while (!over) {
    const request = `request ${count++}`
    try {
      await converse(request)
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
}))
console.log(JSON.stringify({ count, failures: failures.slice(0, 10) }))

async function converse(request: string): Promise<void> {
  using socket = await tcp().connect(address.host, address.port)
  await socket.send(`${request}\n`)
  const reply = await socket.reader().line()
  const [pid = '', said] = reply?.split(/ (.*)/) ?? []
  if (said !== request) throw new Error(`${request} got ${reply}`)
  if (seen.has(pid)) return
  seen.add(pid)
  console.log(pid)
}
