/** What the HTTP servers of the bench answer. */
import type { RequestListener } from 'node:http'

const BODY = Buffer.from('Hello, world!\n')

export const hello: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': BODY.length })
  response.end(BODY)
}
