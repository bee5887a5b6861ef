// A ping for the terminal, like the system's: node build/examples/ping.js -c 3 example.org
import { parseArgs } from 'node:util'
import { addr, ping, type PingReply } from 'socket2'

const USAGE = `Usage: ping [options] host
  -c count    stop after so many requests
  -i seconds  from one request to the next (1)
  -W seconds  to wait for each answer (4)
  -s bytes    to send in each (56)
  -t ttl      over how many routers at most
  -4, -6      IPv4 or IPv6 only
  --help      this text
Ctrl+C ends it. Status: 0 with an answer, 1 without, 2 when something is wrong.`

// Whoever reads has gone, as in: … | head -1
process.stdout.once('error', () => process.exit())

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`ping: ${(error as Error).message}`)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const value = { type: 'string' } as const
  const { values, positionals: [host, ...more] } = parseArgs({
    allowPositionals: true,
    options: {
      count: { ...value, short: 'c' }, interval: { ...value, short: 'i' }, timeout: { ...value, short: 'W' }, size: { ...value, short: 's' },
      ttl: { ...value, short: 't' }, ipv4: { type: 'boolean', short: '4' }, ipv6: { type: 'boolean', short: '6' }, help: { type: 'boolean' }
    }
  })
  if (values.help || host === undefined || more.length > 0) {
    console[values.help ? 'log' : 'error'](USAGE)
    return values.help ? 0 : 2
  }
  const options = {
    count: number('-c', values.count, 1), interval: number('-i', values.interval, 0.01, 1000), timeout: number('-W', values.timeout, 0, 1000),
    size: number('-s', values.size, 0, 1, 65507) ?? 56, ttl: number('-t', values.ttl, 1, 1, 255)
  }
  const [target] = await addr({ host, family: values.ipv4 ? 'inet' : values.ipv6 ? 'inet6' : undefined })
  if (target!.family === 'unix') throw new Error(`${host} is no host of a network`)
  const headers = target!.family === 'inet' ? 28 : 48
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  console.log(`PING ${host} (${target!.address}) ${options.size}(${options.size + headers}) bytes of data.`)

  const [began, times] = [performance.now(), [] as number[]]
  let told = 0
  try {
    for await (const fate of ping(target!, { ...options, signal: interrupted.signal })) {
      told++
      if (fate.ms !== null) times.push(fate.ms)
      console.log(line(fate, options.size + 8))
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
  }
  console.log(`\n--- ${host} ping statistics ---`)
  // When it is interrupted one may be on its way, and is neither lost nor received.
  const what = interrupted.signal.aborted ? 'answered or given up' : 'transmitted'
  const lost = told === 0 ? '' : ` ${Math.round((1 - times.length / told) * 1000) / 10}% packet loss,`
  console.log(`${told} packets ${what}, ${times.length} received,${lost} time ${Math.round(performance.now() - began)}ms`)
  if (times.length > 0) console.log(`rtt min/avg/max/mdev = ${spread(times)} ms`)
  return times.length > 0 ? 0 : 1
}

/** What an option says: a number that makes sense, times a factor. Of seconds it may be a fraction. */
function number(flag: string, text: string | undefined, least: number, factor = 1, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined) return undefined
  const [value, whole] = [text.trim() === '' ? NaN : Number(text), factor === 1]
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value * factor
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new Error(`${flag} takes a ${whole ? 'whole number' : 'number of seconds'} ${range}, not '${text}'`)
}

function line({ address: { address }, ms, ttl, sequence, error }: PingReply, bytes: number): string {
  if (ms !== null) return `${bytes} bytes from ${address}: icmp_seq=${sequence}${ttl === undefined ? '' : ` ttl=${ttl}`} time=${brief(ms)} ms`
  return error ? `icmp_seq=${sequence} ${error.message}` : `no answer for icmp_seq=${sequence}`
}

/** The least, the mean, the most, and how far they are from the mean. */
function spread(times: number[]): string {
  const mean = (numbers: number[]): number => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
  const average = mean(times)
  const deviation = Math.sqrt(mean(times.map(ms => (ms - average) ** 2)))
  return [Math.min(...times), average, Math.max(...times), deviation].map(ms => ms.toFixed(3)).join('/')
}

/** Three digits, as far as they mean something. */
function brief(ms: number): string {
  return ms < 1 ? ms.toFixed(3) : ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)
}
