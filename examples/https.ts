// An HTTPS server for the files of a folder. A certificate to try it with:
// openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem
// node build/examples/https.js --cert cert.pem --key key.pem docs, and then: curl -k https://127.0.0.1:8443/
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, readdir, readFile, realpath } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { serveHttp } from 'socket2/http'
import { bold, command, dim, ending, harmless, Misuse, number, seconds, why } from './parts/command.js'

const USAGE = `Usage: https --cert file --key file [options] [folder]
  folder           whose files are served (this one)
  --cert file      the certificate, and those that lead to its authority, as PEM
  --key file       its key, as PEM
  --host host      where to listen (127.0.0.1; '*' is everywhere)
  --port port      and at which port (8443; 0 is any free one)
  --grace seconds  requests have to end when Ctrl+C or SIGTERM ends it (5)
  --help           this text`

const OPTIONS = {
  cert: { type: 'string' }, key: { type: 'string' }, host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8443' }, grace: { type: 'string', default: '5' }
} as const

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.json': 'application/json',
  '.md': 'text/plain; charset=utf-8', '.png': 'image/png', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8'
}

await command(USAGE, OPTIONS, async ({ values: { host, ...values }, positionals: [folder = '.', surplus] }) => {
  if (surplus !== undefined) throw new Misuse(`'${surplus}' is too much`)
  if (values.cert === undefined || values.key === undefined) throw new Misuse('--cert and --key are needed')
  const [port, grace] = [number('--port', values.port, 0, 65535), seconds('--grace', values.grace)]
  const root = await realpath(folder)
  const tls = { cert: await readFile(values.cert), key: await readFile(values.key) }
  const server = await serveHttp({ host, port, tls, maxConnections: 4096 }, (request, response) => void answer(root, request, response))
  console.log(`serving ${root} at ${bold(`https://${server.address}/`)}`)

  await once(ending(), 'abort')
  await server.close({ grace })
})

/** Answers one request, whatever it is, and says so. */
async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const since = performance.now()
  let note = ''
  try {
    await send(root, request, response)
  } catch (error) {
    // What a client did not wait for is its own affair.
    note = `, broken off: ${why(error)}`
    response.destroy()
  }
  const took = dim(`in ${(performance.now() - since).toFixed(1)} ms`)
  console.log(`${request.socket.remoteAddress} ${request.method} ${harmless(request.url ?? '')}: ${response.statusCode} ${took}${note}`)
}

async function send(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD')
  const path = await inside(root, request.url ?? '/')
  if (path === null) return refuse(response, 404, 'no such file')
  const file = await open(path)
  try {
    const stat = await file.stat()
    if (stat.isDirectory()) {
      const names = (await readdir(path, { withFileTypes: true })).map(entry => entry.isDirectory() ? `${entry.name}/` : entry.name)
      response.setHeader('content-type', 'text/plain; charset=utf-8')
      response.end(request.method === 'HEAD' ? undefined : `${names.toSorted().join('\n')}\n`)
      return
    }
    response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream')
    response.setHeader('content-length', stat.size)
    if (request.method === 'HEAD') response.end()
    else await pipeline(createReadStream('', { fd: file, autoClose: false, end: Math.max(stat.size - 1, 0) }), response)
  } finally {
    await file.close().catch(() => {})
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...status === 405 && { allow: 'GET, HEAD' } }).end(`${text}\n`)
}

/** The real path that is asked for; null when there is none, or it leads out of the folder, by dots or by links. */
async function inside(root: string, url: string): Promise<string | null> {
  try {
    const path = await realpath(join(root, decodeURIComponent(new URL(url, 'https://x').pathname)))
    return path === root || path.startsWith(root + sep) ? path : null
  } catch {
    return null
  }
}
