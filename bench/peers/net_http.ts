/** The server of node:http that everybody writes first. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { announce } from './announce.js'
import { hello } from './hello.js'

const server = createServer(hello)
server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port))
