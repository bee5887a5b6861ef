/** PostgreSQL: its protocol spoken by hand, and its clients over our sockets. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import test, { type ExecutionContext } from 'ava'
import { tcp, type Family, type SocketDuplex, type TcpSocket } from 'socket2'
import {
  CANCEL_REQUEST, columnsOf, fieldsOf, message, packet, receive, receiveTo, SSL_REQUEST, startup,
  type Message, type Pg, type PgClient, type PgConfig, type PostgresJs, type Sql
} from './_postgres.js'
import { Postgres } from './_servers.js'
import { until } from './_serve.js'
import { users } from './_users.js'
import { addressOf, closing, listener, unless } from './_util.js'

const server = new Postgres()
const withPostgres = unless(server.reason)
const { reason: lacksClients, load } = users('clients', server.reason)
const withClients = unless(lacksClients)
const { Client, Pool, Query } = load<Pg>('pg')
const postgres = load<PostgresJs>('postgres')

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

// pg, over our sockets

for (const family of ['inet', 'unix'] as const) {
  withClients(`pg gets what it asks for over ${family}, and is told what is wrong`, async t => {
    const { client, sockets } = await pgClient(t, family)
    const { rows } = await client.query('SELECT $1::int + 1 AS number, $2::text AS text, $3::bytea AS bytes, NULL AS nothing', [41, 'Grüße', Buffer.of(0, 255)])
    t.deepEqual(rows, [{ number: 42, text: 'Grüße', bytes: Buffer.of(0, 255), nothing: null }])
    await t.throwsAsync(client.query('SELECT nonsense'), { code: '42703' })
    t.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }])
    await client.end()
    t.deepEqual(sockets.map(({ closed }) => closed), [true])
  })
}

withClients('pg refuses to be let in by a wrong password, and its socket is closed', async t => {
  const { client, sockets } = pgOf(t, 'inet', { password: 'wrong' })
  await t.throwsAsync(client.connect(), { code: '28P01' })
  await until(() => sockets[0]!.closed)
  t.pass()
})

withClients('pg gets 200,000 rows, and sends and gets 20 MB in one value', async t => {
  const { client } = await pgClient(t, 'inet')
  const { rows } = await client.query("SELECT i, repeat('x', 80) AS text FROM generate_series(1, 200000) AS i")
  t.deepEqual([rows.length, rows.every(({ i }, at) => i === at + 1)], [200_000, true])
  const value = Buffer.alloc(20_000_000, '0123456789')
  const { rows: [row] } = await client.query('SELECT $1::bytea AS value', [value])
  t.true((row!['value'] as Buffer).equals(value))
})

withClients('1,000 queries that pg is given at once are answered in their order', async t => {
  const { client } = await pgClient(t, 'unix')
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.query('SELECT $1::int AS i', [i])))
  t.deepEqual(answers.map(({ rows }) => rows[0]!['i']), Array.from({ length: 1000 }, (_, i) => i))
})

withClients('a pool of pg shares its connections out, and closes them all', async t => {
  const sockets: TcpSocket[] = []
  const pool = new Pool({ ...whereOf('inet'), max: 10, stream: () => streamInto(sockets) })
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => pool.query('SELECT $1::int AS i', [i])))
  t.deepEqual(answers.map(({ rows }) => rows[0]!['i']), Array.from({ length: 300 }, (_, i) => i))
  await pool.end()
  await until(() => sockets.every(({ closed }) => closed))
  t.is(sockets.length, 10)
})

withClients('pg hears what others notify', async t => {
  const [{ client }, { client: other }] = [await pgClient(t, 'inet'), await pgClient(t, 'unix')]
  await client.query('LISTEN news')
  const heard: string[] = []
  const all = new Promise<void>(resolve => client.on('notification', ({ payload }: { payload: string }) => heard.push(payload) === 100 && resolve()))
  for (let i = 0; i < 100; i++) await other.query(`NOTIFY news, '${i}'`)
  await all
  t.deepEqual(heard, Array.from({ length: 100 }, (_, i) => `${i}`))
})

withClients('pg cancels a query by another connection', async t => {
  const { client } = await pgClient(t, 'inet')
  const begun = once(client, 'notice')
  const sockets: TcpSocket[] = []
  // The server ends its connection, and pg knows of no other end of it.
  const other = new Client({ ...whereOf('inet'), stream: () => streamInto(sockets) })
  const failed = await new Promise<Error | null>(resolve => {
    const query = new Query("DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); END $$", resolve)
    client.query(query)
    void begun.then(() => other.cancel(client, query))
  })
  t.like(failed, { code: '57014' })
  t.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  await until(() => sockets[0]!.closed)
})

withClients('pg gives up on a server that does not answer, and its socket is closed', async t => {
  const silent = await listener(t)
  const { client, sockets } = pgOf(t, 'inet', { host: '127.0.0.1', port: addressOf(silent).port, connectionTimeoutMillis: 50 })
  await t.throwsAsync(client.connect(), { message: /timeout/ })
  await until(() => sockets[0]!.closed)
  const refused = pgOf(t, 'inet', { host: '127.0.0.1', port: 1 })
  await t.throwsAsync(refused.client.connect(), { code: 'ECONNREFUSED', message: /^connect ECONNREFUSED 127\.0\.0\.1:1$/ })
})

// postgres, over our sockets

for (const family of ['inet', 'unix'] as const) {
  withClients(`postgres gets what it asks for over ${family}, and is told what is wrong`, async t => {
    const { sql, sockets } = postgresOf(t, family)
    t.deepEqual([...await sql`SELECT ${41}::int + 1 AS number, ${'Grüße'} AS text, ${Buffer.of(0, 255)}::bytea AS bytes`], [{ number: 42, text: 'Grüße', bytes: Buffer.of(0, 255) }])
    await t.throwsAsync(sql`SELECT nonsense`, { code: '42703' })
    await sql.end()
    await until(() => sockets.every(({ closed }) => closed))
  })
}

withClients('postgres copies 100,000 rows in and out', async t => {
  const { sql } = postgresOf(t, 'inet', { max: 1 })
  await sql`CREATE TEMPORARY TABLE copied (i int, text text)`
  const lines = function *(): Generator<string> {
    for (let i = 0; i < 100_000; i++) yield `${i}\t${'x'.repeat(i % 200)}\n`
  }
  await pipeline(Readable.from(lines()), await sql`COPY copied FROM STDIN`.writable())
  t.deepEqual([...await sql`SELECT count(*)::int, sum(length(text))::int FROM copied`], [{ count: 100_000, sum: 9_950_000 }])
  const out: Buffer[] = []
  for await (const chunk of await sql`COPY copied TO STDOUT`.readable()) out.push(chunk as Buffer)
  // When it is told to pause, postgres passes some chunks on out of their order, over a net.Socket as well.
  const sorted = String(Buffer.concat(out)).split(/(?<=\n)/).toSorted((a, b) => parseInt(a) - parseInt(b))
  t.true(sorted.join('') === [...lines()].join(''))
})

withClients('postgres reads 200,000 rows by a cursor, and stops where it is told to', async t => {
  const { sql } = postgresOf(t, 'unix', { max: 1 })
  let next = 0
  for await (const rows of sql<{ i: number }>`SELECT i FROM generate_series(0, 199999) AS i`.cursor(1000)) {
    for (const { i } of rows) if (i !== next++) t.fail(`row ${next - 1} is ${i}`)
    if (next >= 100_000) break
  }
  t.is(next, 100_000)
  t.deepEqual([...await sql`SELECT 1 AS one`], [{ one: 1 }])
})

withClients('postgres sends and gets 20 MB in one value, and 2,000 queries at once', async t => {
  const { sql } = postgresOf(t, 'inet', { max: 4 })
  const value = Buffer.alloc(20_000_000, '0123456789')
  const [row] = await sql<{ value: Buffer }>`SELECT ${value}::bytea AS value`
  t.true(row!.value.equals(value))
  const answers = await Promise.all(Array.from({ length: 2000 }, async (_, i) => (await sql<{ i: number }>`SELECT ${i}::int AS i`)[0]!.i))
  t.deepEqual(answers, Array.from({ length: 2000 }, (_, i) => i))
})

withClients('postgres hears what others notify, until it listens no more', async t => {
  const { sql } = postgresOf(t, 'inet')
  const heard: string[] = []
  const { unlisten } = await sql.listen('tidings', payload => void heard.push(payload))
  for (let i = 0; i < 100; i++) await sql.notify('tidings', `${i}`)
  await until(() => heard.length === 100)
  await unlisten()
  await sql.notify('tidings', 'too late')
  t.deepEqual(heard, Array.from({ length: 100 }, (_, i) => `${i}`))
})

withClients('postgres cancels a query by another connection', async t => {
  const { sql, sockets } = postgresOf(t, 'inet', { onnotice: () => query.cancel() })
  const query = sql`DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); END $$`
  await t.throwsAsync(query, { code: '57014' })
  t.deepEqual([...await sql`SELECT 1 AS one`], [{ one: 1 }])
  t.is(sockets.length, 2)
})

// The server goes down, which is before all else: the other tests wait for those that are serial

unless(lacksClients, test.serial)('when the server goes down, pg and postgres say so, and when it is there again they go on', async t => {
  const { client, sockets } = await pgClient(t, 'inet')
  const { sql } = postgresOf(t, 'unix', { max: 1, backoff: 0.01 })
  const pool = new Pool({ ...whereOf('inet'), max: 1, stream: () => streamInto(sockets) })
  t.teardown(() => pool.end())
  await Promise.all([pool.query('SELECT 1'), sql`SELECT 1`])
  client.on('error', () => {}) // the query tells it
  const ended = [new Promise(resolve => client.once('end', resolve)), new Promise(resolve => pool.once('error', resolve))]
  const waiting = [t.throwsAsync(client.query('SELECT pg_sleep(600)')), t.throwsAsync(sql`SELECT pg_sleep(600)`)]
  await server.stop()
  await Promise.all([...waiting, ...ended])
  t.deepEqual(sockets.map(({ closed }) => closed), [true, true])
  await t.throwsAsync(pool.query('SELECT 1'), { code: 'ECONNREFUSED' })
  await t.throwsAsync(sql`SELECT 1`, { code: 'ENOENT' })
  await server.start()
  t.deepEqual([(await pool.query('SELECT 1 AS one')).rows, [...await sql`SELECT 1 AS one`]], [[{ one: 1 }], [{ one: 1 }]])
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

/** Where a client finds the server, and who it is there. */
function whereOf(family: Family): Omit<PgConfig, 'stream'> {
  const host = family === 'unix' ? server.home : '127.0.0.1'
  return { host, port: server.port, user: 'postgres', password: server.password, database: 'postgres' }
}

/** A stream that is not connected yet, over a socket that goes to the others. */
function streamInto(sockets: TcpSocket[], family: Family = 'inet'): SocketDuplex {
  const socket = tcp(family)
  sockets.push(socket)
  return socket.toDuplex()
}

/** A client of pg, and the sockets that it uses. */
function pgOf(t: ExecutionContext, family: Family, config: Partial<PgConfig> = {}): { client: PgClient; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  const client = new Client({ ...whereOf(family), stream: () => streamInto(sockets, family), ...config })
  t.teardown(() => client.end())
  return { client, sockets }
}

/** As `pgOf`, connected. */
async function pgClient(t: ExecutionContext, family: Family): Promise<{ client: PgClient; sockets: TcpSocket[] }> {
  const all = pgOf(t, family)
  await all.client.connect()
  return all
}

/**
 * A pool of postgres, and the sockets that it has used. It is given streams that are still to be connected, so that it hears of those that
 * cannot be: when a promise of a stream rejects, its later queries wait for ever.
 */
function postgresOf(t: ExecutionContext, family: Family, options: Partial<Parameters<PostgresJs>[0]> = {}): { sql: Sql; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  const sql = postgres({
    ...whereOf(family),
    socket: () => streamInto(sockets, family).connect(family === 'unix' ? { path: server.path } : { host: '127.0.0.1', port: server.port }),
    onnotice() {},
    ...options
  })
  t.teardown(() => sql.end({ timeout: 1 }))
  return { sql, sockets }
}
