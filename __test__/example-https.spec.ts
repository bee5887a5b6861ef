/** examples/https.ts, and examples/proxy.ts with TLS on one side and a PROXY header on the other. */
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { serve } from 'socket2'
import { connectTls } from 'socket2/tls'
import { ca } from './_certificates.js'
import { addressIn, freshFolder, talk } from './_examples.js'
import { closing } from './_util.js'

const pem = (name: string): string => fileURLToPath(new URL(`../../__test__/_certificates/${name}.pem`, import.meta.url))
const keys = ['--cert', pem('server'), '--key', pem('server-key')]

async function fetched(port: number, path: string, method = 'GET'): Promise<{ status: number | undefined; type: string | undefined; text: string }> {
  const asked = get({ host: '127.0.0.1', servername: 'localhost', port, path, method, ca, agent: false })
  const [response] = await once(asked, 'response') as [import('node:http').IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { status: response.statusCode, type: response.headers['content-type'], text }
}

test('https serves the files of a folder, and nothing else', async t => {
  const outer = freshFolder(t)
  const folder = join(outer, 'served')
  mkdirSync(folder)
  writeFileSync(join(outer, 'secret.txt'), 'secret')
  writeFileSync(join(folder, 'page.html'), '<p>hello</p>')
  writeFileSync(join(folder, 'empty.txt'), '')
  if (process.platform !== 'win32') symlinkSync('../secret.txt', join(folder, 'link.txt'))
  const server = talk(t, 'https', [...keys, '--port', '0', folder])
  const { port } = addressIn(await server.lineLike(/^serving /))
  t.like(await fetched(port, '/page.html?x=1'), { status: 200, type: 'text/html; charset=utf-8', text: '<p>hello</p>' })
  t.like(await fetched(port, '/page.html', 'HEAD'), { status: 200, text: '' })
  t.like(await fetched(port, '/empty.txt'), { status: 200, text: '' })
  t.regex((await fetched(port, '/')).text, /^empty\.txt\n(link\.txt\n)?page\.html\n$/)
  for (const path of ['/nothing', '/../secret.txt', '/%2e%2e/secret.txt', '/link.txt', '/page.html/x', '/%00', '/%zz']) {
    t.like(await fetched(port, path), { status: 404, text: 'no such file\n' }, path)
  }
  t.is((await fetched(port, '/page.html', 'DELETE')).status, 405)
  if (process.platform !== 'win32') {
    server.signal('SIGTERM')
    await server.rest()
    t.is(server.child.exitCode, 0)
  }
})

test('https tells that a key is not for its certificate', async t => {
  const server = talk(t, 'https', ['--cert', pem('server'), '--key', pem('other-key'), '--port', '0'], { aloud: false })
  await server.rest()
  t.is(server.child.exitCode, 1)
  t.regex(server.complaints(), /^https: .+\n$/)
})

test('proxy talks TLS with clients, and tells the backend who they are', async t => {
  const told: string[] = []
  const backend = await serve({ host: '127.0.0.1', proxyProtocol: 'required' }, async socket => {
    told.push(String(socket.remoteAddress))
    for await (const data of socket) await socket.send(data)
  })
  t.teardown(() => backend.close({ grace: 0 }))
  const proxy = talk(t, 'proxy', [...keys, '--send-proxy', String(backend.address)])
  const client = closing(t, await connectTls(addressIn(await proxy.lineLike(/listening/)).port, '127.0.0.1', { ca, servername: 'localhost' }))
  await client.send('hello')
  t.is(String(await client.recvExact(5)), 'hello')
  t.true(told.includes(String(client.localAddress)))
  client.shutdown('write')
  t.is((await client.recv()).length, 0)
})
