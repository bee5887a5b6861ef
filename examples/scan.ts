// Which TCP ports of a host are open, a thousand of them asked at a time: node build/examples/scan.js localhost 1-1024,8080
import { addr, addrName, Address, tcp, type SocketError } from 'socket2'
import { bold, command, dim, duration, ending, green, Misuse, number, seconds } from './parts/command.js'
import { Progress } from './parts/progress.js'

const USAGE = `Usage: scan [options] host [ports]
  ports              such as 22,80,8000-8100 (1-1024)
  --timeout seconds  to wait for an answer (1)
  --parallel count   of ports that are asked at a time (1000), or as many as this system lets it open
  --help             this text
Scan only what you may: the owners of other machines may take it amiss. Ctrl+C ends it, with what is known by then.
Status: 0 when a port is open, 1 when none is.`

const OPTIONS = { timeout: { type: 'string', default: '1' }, parallel: { type: 'string', default: '1000' } } as const

/** What fails for want of something here, and says nothing of the port. */
const OURS: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN']
/** How long to wait for what is short, in ms, and how often. */
const [PAUSE, PATIENCE] = [50, 100]

await command(USAGE, OPTIONS, async ({ values, positionals: [host, list = '1-1024', ...surplus] }) => {
  if (host === undefined || surplus.length > 0) throw new Misuse(host === undefined ? 'a host is needed' : `'${surplus[0]}' is too much`)
  const [ports, timeout, parallel] = [portsOf(list), seconds('--timeout', values.timeout), number('--parallel', values.parallel, 1, 65535)]
  const [target] = await addr({ host, type: 'tcp' })
  if (target!.family === 'unix') throw new Misuse(`${host} is no host of a network`)
  console.log(`scanning ${bold(host)} (${target!.address}), ${ports.length} ports`)

  const [signal, progress, began] = [ending(), new Progress(), performance.now()]
  const counts = { open: 0, closed: 0, filtered: 0 }
  const most = Math.min(parallel, ports.length)
  let [workers, next, done] = [most, 0, 0]
  const put: number[] = []

  async function work(): Promise<void> {
    for (let port, vain = 0; !signal.aborted && (port = put.pop() ?? ports[next++]) !== undefined;) {
      try {
        const state = await probe(target!.withPort(port), timeout, signal)
        counts[state]++
        done++
        vain = 0
        if (state === 'open') progress.say(`${String(port).padStart(5)}/tcp  ${green('open')}  ${await serviceOf(port)}`.trimEnd())
        progress.show(done / ports.length, () => `${counts.open} open, ${done} of ${ports.length} ports`)
      } catch (error) {
        if (signal.aborted) return
        if (!OURS.includes((error as SocketError).code) || ++vain > PATIENCE) throw error
        put.push(port)
        // Whoever finds no room leaves it to the others; the last one waits until there is some.
        if (workers > 1) return void workers--
        await new Promise(resolve => setTimeout(resolve, PAUSE))
      }
    }
  }
  await Promise.all(Array.from({ length: most }, work))
  progress.clear()
  const note = workers < most ? dim(` (${workers} at a time: this process may open no more; ulimit -n tells how many)`) : ''
  const states = `${bold(`${counts.open} open`)}, ${counts.closed} closed, ${counts.filtered} filtered`
  console.log(`${states}; ${done}${done < ports.length ? ` of ${ports.length}` : ''} ports in ${duration(performance.now() - began)}${note}`)
  return counts.open > 0 ? 0 : 1
})

/** How a port is: closed when it is refused, filtered when nothing is heard of it, or that no way leads there. */
async function probe(target: Address, timeout: number, signal: AbortSignal): Promise<'open' | 'closed' | 'filtered'> {
  try {
    using socket = await tcp(target.family).connect(target, { timeout, signal })
    // On the own machine the system may choose for our end the very port that is asked: then we have met ourselves.
    const { localAddress, remoteAddress } = socket
    return localAddress !== null && remoteAddress?.equals(localAddress) ? 'closed' : 'open'
  } catch (error) {
    if (signal.aborted || OURS.includes((error as SocketError).code)) throw error
    return ['ECONNREFUSED', 'ECONNRESET'].includes((error as SocketError).code) ? 'closed' : 'filtered'
  }
}

/** What usually listens at a port. Asked of the own address, since the name of the other one is of no interest, and may take long. */
async function serviceOf(port: number): Promise<string> {
  const { service } = await addrName(Address.from({ family: 'inet', address: '127.0.0.1', port })).catch(() => ({ service: '' }))
  return service === String(port) ? '' : service
}

/** The ports of a list such as 22,80,8000-8100, each once. */
function portsOf(list: string): number[] {
  const ports = new Set<number>()
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    const [from, to] = [Number(first), Number(last)]
    if (!(from >= 1 && to <= 65535 && from <= to)) throw new Misuse(`'${part}' is no port from 1 to 65535, and no range of them`)
    for (let port = from; port <= to; port++) ports.add(port)
  }
  return [...ports]
}
