// Pings, awaited or iterated, and prints what came of it: pinger.js await|iterate host options
import { ping, type PingOptions, type PingReply, type SocketError } from 'socket2'

const [how, host = '', options = '{}'] = process.argv.slice(2)
const pings = ping(host, JSON.parse(options) as PingOptions)
try {
  if (how === 'await') console.log(JSON.stringify(plain(await pings)))
  else for await (const fate of pings) console.log(JSON.stringify(plain(fate)))
} catch (error) {
  console.log(JSON.stringify({ error: told(error as SocketError) }))
}

function plain({ address, ms, ttl, sequence, error }: PingReply): unknown {
  return { address: address.address, answered: ms !== null, ttl, sequence, error: error && told(error) }
}

function told({ code, message, syscall, address, timeout, stack }: SocketError): unknown {
  return { code, message, syscall, address, timeout, here: stack?.includes('pinger.js') }
}
