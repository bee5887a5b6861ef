// The package, lookup and addresses.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import socket, { addr, addrName, Address, tcp, type SocketError } from 'socket2'
import type { Checks } from './host.js'

export const nameChecks: Checks = {
  'import and require give one instance'() {
    const required = createRequire(import.meta.url)('socket2') as typeof socket
    assert.equal(required, socket)
    assert.equal(required.tcp, tcp)
  },
  async 'a literal address is looked up as it is, of both families'() {
    assert.deepEqual((await addr('127.0.0.1', 80, 'tcp')).map(String), ['127.0.0.1:80'])
    assert.deepEqual((await addr('::1', 80, 'udp')).map(String), ['[::1]:80'])
  },
  async 'localhost is looked up'() {
    const addresses = await addr({ host: 'localhost', port: 80, type: 'tcp' })
    assert.ok(addresses.length > 0 && addresses.every(({ port }) => port === 80))
  },
  async 'all interfaces and loopback have names of their own'() {
    assert.equal((await addr('*', 1, 'tcp', 'inet'))[0]?.address, '0.0.0.0')
    assert.equal((await addr(false, 1, 'tcp', 'inet6'))[0]?.address, '::1')
  },
  async 'a service is found by its name, and an unknown one is EAI_SERVICE'() {
    assert.equal((await addr('127.0.0.1', 'http', 'tcp'))[0]?.port, 80)
    await assert.rejects(addr('127.0.0.1', 'no-such-service', 'tcp'), { code: 'EAI_SERVICE' })
  },
  async 'names that do not resolve say so'() {
    await assert.rejects(addr('no-such-name.invalid'), ({ code }: SocketError) => ['ENOTFOUND', 'EAI_AGAIN'].includes(code))
  },
  async 'a hundred lookups at once are all answered'() {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, port) => addr('localhost', port, 'tcp')))
    assert.deepEqual(answers.map(([first]) => first?.port), answers.map((_, port) => port))
  },
  async 'a lookup that is aborted before it begins gives the reason'() {
    await assert.rejects(addr({ host: 'localhost', signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
  },
  async 'an address has a name and a service'() {
    const { host, service } = await addrName(Address.parse('127.0.0.1:80'))
    assert.ok(host.length > 0)
    assert.ok(['http', '80'].includes(service), service)
  },
  'addresses are parsed, printed, compared and cloned'() {
    for (const text of ['127.0.0.1:80', '[fe80::1%2]:80', 'unix:/run/x.sock', 'unix:@abstract']) {
      const address = Address.parse(text)
      assert.equal(String(address), text)
      assert.ok(Address.from(structuredClone(address.toJSON())).equals(address))
    }
    assert.ok(!Address.parse('127.0.0.1:80').equals(Address.parse('127.0.0.1:81')))
    assert.throws(() => Address.parse('a name:80'), { name: 'TypeError' })
  },
  async 'a port that is none is refused'() {
    for (const port of [65536, -1, 1.5, '65536']) await assert.rejects(addr('127.0.0.1', port), { code: 'ERR_SOCKET_BAD_PORT' })
  }
}
