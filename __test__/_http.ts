/** HTTP/1.1 by hand, as far as the tests need it: RFC 9112. */
import type { Handler, Reader, TcpSocket } from 'socket2'

/** The first line of a request or response, its fields by their names in lower case, and its body. */
export interface HttpMessage {
  first: string
  fields: Map<string, string>
  body: Buffer
}

/** The next message up to its body; null when the other side is done. */
export async function readHead(reader: Reader): Promise<HttpMessage | null> {
  const first = await reader.line()
  if (first === null) return null
  const fields = new Map<string, string>()
  for (;;) {
    const line = await reader.line()
    if (line === null) throw new Error('the message lacks its end')
    if (line === '') return { first, fields, body: Buffer.alloc(0) }
    const colon = line.indexOf(':')
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
}

/** The body that belongs to a head: in chunks, by its length, or none. */
export async function readBody(reader: Reader, { fields }: HttpMessage): Promise<Buffer> {
  if (fields.get('transfer-encoding') !== 'chunked') return await reader.exact(Number(fields.get('content-length') ?? 0))
  const chunks: Buffer[] = []
  for (;;) {
    const length = parseInt(await reader.line() ?? '', 16)
    if (Number.isNaN(length)) throw new Error('a chunk lacks its length')
    chunks.push(await reader.exact(length))
    if (await reader.line() !== '') throw new Error('a chunk lacks its end')
    if (length === 0) return Buffer.concat(chunks)
  }
}

/** The next message, whole. */
export async function readMessage(reader: Reader): Promise<HttpMessage | null> {
  const message = await readHead(reader)
  if (message !== null) message.body = await readBody(reader, message)
  return message
}

/** The text of a message: its first line and fields. A body gets its length. */
export function headOf(first: string, fields: Record<string, string | number> = {}): string {
  return `${[first, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`
}

/** Sends a response with a body. */
export async function respond(socket: TcpSocket, status: string, body: string | Buffer, fields: Record<string, string | number> = {}): Promise<void> {
  await socket.send([Buffer.from(headOf(`HTTP/1.1 ${status}`, { 'Content-Length': Buffer.byteLength(body), ...fields })), Buffer.from(body)])
}

/** Sends a body in chunks. */
export async function sendChunks(socket: TcpSocket, chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of chunks) await socket.send([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')])
  await socket.send('0\r\n\r\n')
}

/** What answers a request, of which the body has not been read. */
export type Page = (request: HttpMessage, socket: TcpSocket, reader: Reader) => Promise<void>

/** A web server by hand: pages by the first line without the version, as in 'GET /'. A connection stays until the client leaves it or says that it will. */
export function webServer(pages: Record<string, Page>): Handler {
  return async socket => {
    const reader = socket.reader()
    for (;;) {
      const request = await readHead(reader)
      if (request === null) return
      const page = pages[request.first.replace(/ HTTP\/1\.[01]$/, '')]
      if (page === undefined) await respond(socket, '404 Not Found', '')
      else await page(request, socket, reader)
      if (socket.closed || request.fields.get('connection') === 'close') return
    }
  }
}

/** Pages that tests of several clients ask for. */
export const pages: Record<string, Page> = {
  'GET /': async (_request, socket) => await respond(socket, '200 OK', 'hello\n'),
  'HEAD /': async (_request, socket) => void await socket.send(headOf('HTTP/1.1 200 OK', { 'Content-Length': 6 })),
  // Comes back as it is.
  'POST /echo': async (request, socket, reader) => {
    if (request.fields.get('expect') === '100-continue') await socket.send('HTTP/1.1 100 Continue\r\n\r\n')
    await respond(socket, '200 OK', await readBody(reader, request))
  },
  'GET /chunks': async (_request, socket) => {
    await socket.send(headOf('HTTP/1.1 200 OK', { 'Transfer-Encoding': 'chunked' }))
    await sendChunks(socket, Array.from({ length: 1000 }, (_, i) => Buffer.alloc(i + 1, `${i % 10}`)))
  },
  // Its length is said, and it ends before.
  'GET /half': async (_request, socket) => {
    await socket.send(`${headOf('HTTP/1.1 200 OK', { 'Content-Length': 10 })}half`)
    socket.close()
  },
  'GET /reset': async (_request, socket) => {
    await socket.send(`${headOf('HTTP/1.1 200 OK', { 'Content-Length': 10 })}half`)
    socket.reset()
  }
}

/** What `GET /chunks` gives. */
export const chunked = Buffer.concat(Array.from({ length: 1000 }, (_, i) => Buffer.alloc(i + 1, `${i % 10}`)))
