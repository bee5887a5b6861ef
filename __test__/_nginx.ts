/** An nginx that serves pages by itself, and is in front of servers of ours. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { serve, type Handler, type Server, type TcpSocket } from 'socket2'
import { pages, respond, webServer } from './_http.js'
import { Nginx } from './_servers.js'

/** What is in `/big.txt`. */
export const BIG = Buffer.alloc(10_000_000, '0123456789abcde\n')

/**
 * For one test file: at its first port and at `http.sock` in its folder a web server, at its second port a proxy of streams,
 * and at its third one that says by the PROXY protocol for whom it connects. At `proxied.sock` it is told so itself.
 */
export interface Site {
  nginx: Nginx
  /** What came last of each stream that has ended: at most 20 bytes. */
  ended: Set<string>
}

/** Makes it, and ends it with the test file. */
export function site(): Site {
  /** Behind nginx: web servers at a port and at a unix path, one that sends back what it gets, and one that tells who has connected. */
  const behind: Server[] = []
  const ended = new Set<string>()
  test.after.always('closing what is behind nginx', async () => void await Promise.all(behind.map(server => server.close({ grace: 0 }))))
  const nginx = new Nginx({
    async first({ home, write }) {
      const path = join(home, 'web.sock')
      const places = [
        [{ host: '127.0.0.1' }, web], [{ path }, web], [{ host: '127.0.0.1' }, echo(ended)], [{ host: '127.0.0.1', proxyProtocol: 'required' }, ends]
      ] as const
      for (const [where, handler] of places) behind.push(await serve({ ...where, onError() {} }, handler))
      chmodSync(path, 0o777) // nginx is another user
      write('big.txt', BIG)
    },
    http: ({ port, home }) => `
      default_type text/plain;
      client_max_body_size 0;
      gzip on;
      gzip_types text/plain;
      server {
        listen 127.0.0.1:${port};
        listen unix:${home}/http.sock;
        location = / { return 200 "hello\\n"; }
        location = /big.txt { root ${home}; }
        location = /thrice { keepalive_requests 3; return 200 "again\\n"; }
        location /web/ {
          proxy_pass http://${behind[0]?.address}/;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header X-Told "by $server_protocol";
          proxy_request_buffering off;
          proxy_buffering off;
        }
        location /unix/ { proxy_pass http://unix:${behind[1]?.address.path}:/; }
      }
      server {
        listen unix:${home}/proxied.sock proxy_protocol;
        location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"; }
      }`,
    stream: ({ ports }) => `
      server {
        listen 127.0.0.1:${ports[1]};
        proxy_pass ${behind[2]?.address};
        proxy_half_close on;
      }
      server {
        listen 127.0.0.1:${ports[2]};
        proxy_pass ${behind[3]?.address};
        proxy_protocol on;
      }`
  })
  return { nginx, ended }
}

const web = webServer({
  ...pages,
  'GET /told': async (request, socket) => await respond(socket, '200 OK', request.fields.get('x-told') ?? ''),
  'GET /leave': async (_request, socket) => socket.close()
})

/** Tells who has connected, and to where. */
async function ends(socket: TcpSocket): Promise<void> {
  const { remoteAddress, localAddress, proxied } = socket
  await socket.send(`${remoteAddress} ${localAddress} by ${proxied?.proxy}`)
}

/** Sends back what it gets, and keeps what came last. */
function echo(ended: Set<string>): Handler {
  return async (socket: TcpSocket) => {
    let last = ''
    for await (const data of socket) {
      await socket.send(data)
      last = String(data.subarray(-20))
    }
    ended.add(last)
  }
}
