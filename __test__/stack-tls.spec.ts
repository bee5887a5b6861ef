/** TLS with OpenSSL and curl at the other end, and with nginx behind and before it. */
import { serve, tcp } from 'socket2'
import { agent, serveHttp } from 'socket2/http'
import { connectTls, secure, type TlsSocket } from 'socket2/tls'
import { get } from 'node:https'
import { fileURLToPath } from 'node:url'
import { ca, identity } from './_certificates.js'
import { until } from './_serve.js'
import { curl, lacksProgram, Nginx, openssl, Program } from './_servers.js'
import { closing, unless } from './_util.js'

/** `openssl s_server`, which sends back each line, reversed. */
class Reverser extends Program {
  protected override readonly ready = /ACCEPT/

  constructor() {
    super('openssl')
  }

  protected override args(): string[] {
    const { cert, key } = identity('server')
    const client = this.write('ca.pem', ca)
    return ['s_server', '-accept', `127.0.0.1:${this.port}`, '-cert', this.write('cert.pem', cert), '-key', this.write('key.pem', key), '-CAfile', client, '-verify', '2', '-rev']
  }
}

const reverser = new Reverser()
const withServer = unless(reverser.reason)
const withClient = unless(lacksProgram('openssl'))
const withCurl = unless(lacksProgram('curl'))

const pem = (name: string): string => fileURLToPath(new URL(`../../__test__/_certificates/${name}.pem`, import.meta.url))
const trusting = ['-CAfile', pem('ca'), '-verify_return_error', '-verify_hostname', 'localhost', '-servername', 'localhost']

const nginx = new Nginx({
  http: server => `
    server {
      listen 127.0.0.1:${server.port} ssl;
      ssl_protocols TLSv1.2 TLSv1.3;
      ssl_certificate ${server.write('cert.pem', identity('server').cert)};
      ssl_certificate_key ${server.write('key.pem', identity('server').key)};
      location / { return 200 "hello from nginx over $ssl_protocol\\n"; }
    }`
})
const withNginx = unless(nginx.reason)

for (const [version, flags] of [['TLSv1.2', ['-tls1_2']], ['TLSv1.3', ['-tls1_3']]] as const) {
  withClient(`openssl s_client talks to a server of ours (${version})`, async t => {
    const server = await serve({ host: '127.0.0.1', tls: identity('server') }, async socket => {
      const reader = socket.reader()
      await socket.send(`${(socket as TlsSocket).tlsVersion} ${await reader.line()}\n`)
    })
    t.teardown(() => server.close({ grace: 0 }))
    const { code, stdout, stderr } = await openssl(['s_client', '-connect', String(server.address), ...trusting, ...flags, '-quiet', '-ign_eof'], 'hello\n')
    t.is(code, 0, stderr)
    t.is(String(stdout), `${version} hello\n`)
  })
}

withClient('openssl s_client goes on with a session, and is asked for its certificate', async t => {
  // A client that makes its next connection just breaks off the last one.
  const server = await serve({ host: '127.0.0.1', tls: { ...identity('server'), requestCert: true, ca }, onError() {} }, async socket => {
    const { sessionReused, authorized } = socket as TlsSocket
    await socket.send(`${sessionReused} ${authorized}\n`)
    for await (const _ of socket);
  })
  t.teardown(() => server.close({ grace: 0 }))
  const args = ['s_client', '-connect', String(server.address), ...trusting, '-cert', pem('client'), '-key', pem('client-key'), '-tls1_2', '-reconnect']
  const { code, stdout, stderr } = await openssl(args)
  t.is(code, 0, stderr)
  t.is(String(stdout).match(/^New, TLSv1\.2/gm)?.length, 1)
  t.is(String(stdout).match(/^Reused, TLSv1\.2/gm)?.length, 5)
  const without = await openssl(['s_client', '-connect', String(server.address), ...trusting, '-tls1_2'])
  t.not(without.code, 0)
})

withServer('openssl s_server talks to a client of ours, and sees its certificate', async t => {
  const client = closing(t, await connectTls(reverser.port, '127.0.0.1', { ca, servername: 'localhost', ...identity('client') }))
  const reader = client.reader()
  for (const text of ['hello', 'stressed']) {
    await client.send(`${text}\n`)
    t.is(await reader.line(), [...text].toReversed().join(''))
  }
  client.close()
  await until(() => /^Peer certificate: CN ?= ?a client$/m.test(reverser.log))
})

withCurl('curl fetches pages over HTTPS, with HTTP 1.1, keeping the connection, and uploads to them', async t => {
  const peers = new Set<number | undefined>()
  const server = await serveHttp({ host: '127.0.0.1', tls: { ...identity('server'), ALPNProtocols: ['http/1.1'] } }, async (request, response) => {
    peers.add(request.socket.remotePort)
    let length = 0
    for await (const chunk of request) length += (chunk as Buffer).length
    response.end(`${request.method} ${request.url} ${length}\n`)
  })
  t.teardown(() => server.close({ grace: 0 }))
  const where = ['--cacert', pem('ca'), '--resolve', `localhost:${server.address.port}:127.0.0.1`]
  const url = `https://localhost:${server.address.port}`
  const { code, stdout, stderr } = await curl([...where, `${url}/one`, `${url}/two`])
  t.deepEqual([code, String(stdout), stderr], [0, 'GET /one 0\nGET /two 0\n', ''])
  t.is(peers.size, 1)
  const upload = await curl([...where, '--data-binary', '@-', `${url}/up`], Buffer.alloc(3_000_000))
  t.is(String(upload.stdout), 'POST /up 3000000\n')
  // Nobody it knows has signed that.
  t.is((await curl([`${url.replace('localhost', '127.0.0.1')}/`])).code, 60)
})

withCurl('curl speaks through a proxy with a PROXY header to a server of ours that talks TLS', async t => {
  const server = await serve({ host: '127.0.0.1', tls: identity('server'), proxyProtocol: 'required' }, async socket => {
    await socket.reader().until('\r\n\r\n')
    const { proxied, remoteAddress } = socket
    await socket.send(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${proxied?.version} ${remoteAddress?.address}\n`)
  })
  t.teardown(() => server.close({ grace: 0 }))
  const where = ['--cacert', pem('ca'), '--connect-to', `localhost:443:${server.address}`]
  const { code, stdout, stderr } = await curl([...where, '--haproxy-protocol', 'https://localhost/'])
  t.deepEqual([code, String(stdout), stderr], [0, '1 127.0.0.1\n', ''])
})

withNginx('nginx answers over TLS to a socket of ours, and to an agent', async t => {
  const client = closing(t, await connectTls(nginx.port, '127.0.0.1', { ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] }))
  t.is(client.alpnProtocol, 'http/1.1')
  await client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.regex(String(await client.recvAll()), /^HTTP\/1\.1 200 OK\r\n[^]*hello from nginx over TLSv1\.3\n$/)
  const plain = closing(t, await tcp().connect('127.0.0.1', nginx.port))
  const secured = closing(t, await secure(plain, { ca, servername: 'localhost', maxVersion: 'TLSv1.2' }))
  t.is(secured.tlsVersion, 'TLSv1.2')
  const ours = agent({ keepAlive: true, tls: { ca, servername: 'localhost' } })
  t.teardown(() => ours.destroy())
  for (let i = 0; i < 3; i++) {
    const text = await new Promise<string>((resolve, reject) => {
      let all = ''
      const asking = get({ host: '127.0.0.1', port: nginx.port, agent: ours as never }, response => {
        response.setEncoding('utf8').on('data', (part: string) => (all += part))
      })
      // Then the agent has its connection back.
      asking.once('error', reject).once('close', () => resolve(all))
    })
    t.is(text, 'hello from nginx over TLSv1.3\n')
    // The connection is free once its request is known to be written, and over TLS that is told a turn later.
    await until(() => Object.values(ours.freeSockets).flat().length > 0)
  }
  t.is(Object.values(ours.freeSockets).flat().length, 1)
})
