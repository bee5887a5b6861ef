/** The proxy of the examples, but for its balancing and its words. The argument is the port of the server behind it. */
import { serve, tcp } from 'socket2'
import { join } from '../../examples/parts/copy.js'
import { announce } from './announce.js'

const behind = Number(process.argv[2])
const server = await serve({ host: '127.0.0.1' }, async client => {
  using socket = await tcp().connect('127.0.0.1', behind)
  await join(client, socket)
})
announce(server.address.port)
