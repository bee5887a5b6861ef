/** The same server over a listener of socket2. */
import { serveHttp } from 'socket2/http'
import { announce } from './announce.js'
import { hello } from './hello.js'

announce((await serveHttp({ host: '127.0.0.1' }, hello)).address.port)
