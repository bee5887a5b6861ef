/** PostgreSQL: its protocol spoken by hand, and its clients over our sockets. */
import type { ExecutionContext } from 'ava'
import { tcp, type Family, type TcpSocket } from 'socket2'
import { CANCEL_REQUEST, columnsOf, fieldsOf, message, packet, receive, receiveTo, SSL_REQUEST, startup, type Message } from './_postgres.js'
import { Postgres } from './_servers.js'
import { closing, unless } from './_util.js'

const server = new Postgres()
const withPostgres = unless(server.reason)

// Its protocol, by hand

withPostgres('a session begins and answers over its unix socket, each message received by its length', async t => {
  const socket = await open(t, 'unix')
  await socket.send(startup('postgres'))
  const began = await receiveTo(socket, 'Z')
  t.deepEqual(began[0], { kind: 'R', body: Buffer.alloc(4) }, 'no password is asked for')
  t.true(began.some(({ kind, body }) => kind === 'S' && String(body) === 'client_encoding\0UTF8\0'))
  await socket.send(message('Q', "SELECT 1, NULL, 'Grüße', ''\0"))
  const [, row, , ready] = await receiveTo(socket, 'Z')
  t.deepEqual(columnsOf(row!), ['1', null, 'Grüße', ''])
  t.deepEqual(ready, { kind: 'Z', body: Buffer.from('I') })
  await socket.send(message('X', ''))
  t.is((await socket.recv(1)).length, 0)
})

withPostgres('over TCP the one byte that refuses TLS is told from what follows, which asks for a password', async t => {
  const socket = await open(t, 'inet')
  await socket.send(packet(SSL_REQUEST))
  t.is(String(await socket.recvExact(1)), 'N')
  await socket.send(startup('postgres'))
  const { kind, body } = await receive(socket)
  t.deepEqual([kind, body.readInt32BE(0), String(body.subarray(4))], ['R', 10, 'SCRAM-SHA-256\0\0'])
})

withPostgres('a message of 50 MB is received into one buffer', async t => {
  const socket = await session(t)
  await socket.send(message('Q', "SELECT repeat('0123456789', 5000000)\0"))
  const [, row] = await receiveTo(socket, 'Z')
  const text = columnsOf(row!)[0]!
  t.is(text.length, 50_000_000)
  t.true(text.startsWith('0123456789') && text.endsWith('0123456789'))
})

withPostgres('100,000 rows are received message by message, while 1,000 queries wait to be sent', async t => {
  const socket = await session(t)
  const queries = Array.from({ length: 1000 }, (_, i) => message('Q', `SELECT generate_series(${i * 100}, ${i * 100 + 99})\0`))
  const sending = socket.send(queries)
  let next = 0
  for (let i = 0; i < queries.length; i++) {
    const rows = (await receiveTo(socket, 'Z')).filter(({ kind }) => kind === 'D')
    for (const row of rows) if (columnsOf(row)[0] !== `${next++}`) t.fail(`row ${next - 1} is ${columnsOf(row)[0]}`)
  }
  t.is(await sending, queries.reduce((sum, { length }) => sum + length, 0))
  t.is(next, 100_000)
})

withPostgres('who has waited in vain for an answer gets it the next time, whole', async t => {
  const [socket, other] = [await session(t), await session(t)]
  await query(other, 'SELECT pg_advisory_lock(7)')
  await socket.send(message('Q', 'SELECT pg_advisory_lock(7)\0'))
  await t.throwsAsync(receive(Object.assign(socket, { timeout: 20 })), { code: 'ETIMEDOUT' })
  socket.timeout = Infinity
  await query(other, 'SELECT pg_advisory_unlock(7)')
  t.deepEqual((await receiveTo(socket, 'Z')).map(({ kind }) => kind), ['T', 'D', 'C', 'Z'])
})

withPostgres('a query is cancelled from another connection', async t => {
  const socket = await open(t, 'unix')
  await socket.send(startup('postgres'))
  const key = (await receiveTo(socket, 'Z')).find(({ kind }) => kind === 'K')!.body
  // The notice says that it has begun: before that there is nothing to cancel.
  await socket.send(message('Q', "DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); END $$\0"))
  t.is(fieldsOf(await receive(socket))['M'], 'begun')
  const other = await open(t, 'inet')
  await other.send(packet(CANCEL_REQUEST, key))
  t.is((await other.recv(1)).length, 0, 'the server says nothing to that')
  const [told] = await receiveTo(socket, 'Z')
  t.is(fieldsOf(told!)['C'], '57014')
})

withPostgres('a packet of no sense is answered by an error and the end', async t => {
  const socket = await open(t, 'inet')
  await socket.send(packet(0, Buffer.from('nonsense')))
  const told = await receive(socket)
  t.deepEqual([told.kind, fieldsOf(told)['C']], ['E', '0A000'])
  await t.throwsAsync(socket.recvExact(5), { code: 'ERR_UNEXPECTED_EOF', message: /recv/ })
})

withPostgres('who waits for an answer is told that the session has been ended', async t => {
  const [socket, other] = [await session(t), await session(t)]
  const [, row] = await query(socket, 'SELECT pg_backend_pid()')
  await socket.send(message('Q', 'SELECT pg_sleep(600)\0'))
  const receiving = receiveTo(socket, 'E')
  await query(other, `SELECT pg_terminate_backend(${columnsOf(row!)[0]})`)
  t.is(fieldsOf((await receiving).at(-1)!)['C'], '57P01')
  t.is((await socket.recv(1)).length, 0)
})

/** A connection to the server. */
async function open(t: ExecutionContext, family: Family): Promise<TcpSocket> {
  const socket = closing(t, tcp(family))
  return await (family === 'unix' ? socket.connect(`unix:${server.path}`, 0) : socket.connect('127.0.0.1', server.port))
}

/** A session, over the unix socket. */
async function session(t: ExecutionContext): Promise<TcpSocket> {
  const socket = await open(t, 'unix')
  await socket.send(startup('postgres'))
  await receiveTo(socket, 'Z')
  return socket
}

async function query(socket: TcpSocket, text: string): Promise<Message[]> {
  await socket.send(message('Q', `${text}\0`))
  return await receiveTo(socket, 'Z')
}
