// What every process of the app does with the library: the one part of this example that knows nothing of Electron.
'use strict'

/**
 * Sends something there and back over TCP, UDP and, where the system has them, unix sockets, and looks up a name.
 *
 * @param {typeof import('socket2')} socket2
 * @returns {Promise<string>} what was done
 */
exports.echo = async function echo({ addr, pair, tcp, udp }) {
  const server = await tcp().listen('127.0.0.1')
  const client = await tcp().connect(server.localAddress)
  const peer = await server.accept()
  // More than one read and one write take, so that both sides have to wait for each other.
  const data = Buffer.alloc(1 << 20, 'socket2 ')
  const [, received] = await Promise.all([client.send(data), peer.recvExact(data.length)])
  const [, returned] = await Promise.all([peer.send(received), client.recvExact(data.length)])
  if (!returned.equals(data)) throw new Error('tcp: something else came back')
  for (const socket of [server, client, peer]) socket.close()

  const datagrams = udp()
  await datagrams.bind('127.0.0.1')
  await datagrams.send('to itself', datagrams.localAddress)
  const { data: datagram } = await datagrams.recv()
  if (String(datagram) !== 'to itself') throw new Error('udp: something else came back')
  // A deadline, since timers are what differs most where Chromium drives the loop.
  const late = await datagrams.recv(9, { timeout: 20 }).catch(error => error.code)
  if (late !== 'ETIMEDOUT') throw new Error(`udp: the deadline gave ${late}`)
  datagrams.close()

  const addresses = await addr('localhost', 80, 'tcp')
  if (addresses.length === 0) throw new Error('localhost has no address')
  if (process.platform === 'win32') return 'tcp, udp, lookup'

  const [one, other] = pair('tcp')
  await one.send('by unix')
  if (String(await other.recv()) !== 'by unix') throw new Error('unix: something else came back')
  for (const socket of [one, other]) socket.close()
  return 'tcp, udp, lookup, unix'
}
