/** Redis: its protocol spoken by hand, and its clients over our sockets. */
import { pipeline } from 'node:stream/promises'
import test, { type ExecutionContext } from 'ava'
import { tcp, type Family, type Reader, type TcpSocket } from 'socket2'
import { command, receive, type IoRedis, type IoRedisModule, type NodeRedis, type NodeRedisModule, type Reply } from './_redis.js'
import { Redis } from './_servers.js'
import { serving, until } from './_serve.js'
import { users } from './_users.js'
import { closing, unless } from './_util.js'

const server = new Redis()
const withRedis = unless(server.reason)
const { reason: lacksClients, load } = users('clients', server.reason)
const withClients = unless(lacksClients)
const { Redis: IoRedisClient, AbstractConnector } = load<IoRedisModule>('ioredis')
const { createClient } = load<NodeRedisModule>('redis')

// Its protocol, by hand

for (const family of ['inet', 'unix'] as const) {
  withRedis(`a reader understands each kind of reply, over ${family}`, async t => {
    const { ask } = await visit(t, family)
    const key = keyOf(t)
    t.is(await ask('PING'), 'PONG')
    t.is(await ask('SET', key, 'a\r\nb'), 'OK')
    t.deepEqual(await ask('GET', key), Buffer.from('a\r\nb'))
    t.deepEqual(await ask('GET', `${key}:none`), null)
    t.is(await ask('STRLEN', key), 4)
    t.is(await ask('RPUSH', `${key}:list`, 'one', '', '\0'), 3)
    t.deepEqual(await ask('LRANGE', `${key}:list`, '0', '-1'), [Buffer.from('one'), Buffer.from(''), Buffer.from('\0')])
    t.deepEqual(await ask('LRANGE', `${key}:none`, '0', '-1'), [])
    t.regex(String(await ask('INCR', key)), /ERR value is not an integer/)
    t.deepEqual(await ask('EVAL', 'return {1, {2, {3, redis.status_reply("deep")}}}', '0'), [1, [2, [3, 'deep']]])
  })
}

withRedis('10,000 commands in one send are answered in their order', async t => {
  const { socket, reader } = await visit(t, 'inet')
  const key = keyOf(t)
  const sending = socket.send(Array.from({ length: 10_000 }, () => command('INCR', key)))
  for (let i = 1; i <= 10_000; i++) t.is(await reader.line(), `:${i}`)
  await sending
  t.is(reader.buffered, 0)
})

withRedis('a value of 20 MB comes back whole, read by its length or up to a delimiter', async t => {
  const { socket, reader, ask } = await visit(t, 'unix')
  const key = keyOf(t)
  const value = Buffer.alloc(20_000_000, 'abcdefghij')
  t.is(await ask('SET', key, value), 'OK')
  t.true((await ask('GET', key) as Buffer).equals(value))
  await socket.send(command('GET', key))
  t.is(await reader.line(), `$${value.length}`)
  t.true((await reader.until('\r\n', { limit: value.length }))?.equals(value))
})

withRedis('a message that is published comes to who waits for it, whose wait may be given up and begun again', async t => {
  const [subscriber, publisher] = [await visit(t, 'inet'), await visit(t, 'unix')]
  const channel = keyOf(t)
  t.deepEqual(await subscriber.ask('SUBSCRIBE', channel), [Buffer.from('subscribe'), Buffer.from(channel), 1])
  await t.throwsAsync(subscriber.reader.exact(1, { timeout: 1 }), { code: 'ETIMEDOUT' })
  const controller = new AbortController()
  const aborted = subscriber.reader.until('\r\n', { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' })
  t.is(await publisher.ask('PUBLISH', channel, 'news'), 1)
  t.deepEqual(await receive(subscriber.reader), [Buffer.from('message'), Buffer.from(channel), Buffer.from('news')])
})

withRedis('QUIT is answered, and then the stream ends', async t => {
  const { reader, ask } = await visit(t, 'inet')
  t.is(await ask('QUIT'), 'OK')
  t.is(await reader.line(), null)
})

withRedis('what Redis does not understand it says, and closes', async t => {
  const { socket, reader } = await visit(t, 'inet')
  await socket.send('*1\r\n$99999999999\r\n')
  t.is(await reader.line(), '-ERR Protocol error: invalid bulk length')
  t.is(await reader.line(), null)
})

withRedis('who waits for a reply hears that the server has ended the connection', async t => {
  const [waiting, other] = [await visit(t, 'inet'), await visit(t, 'inet')]
  const id = await waiting.ask('CLIENT', 'ID') as number
  await waiting.ask('SUBSCRIBE', keyOf(t))
  const hearing = waiting.reader.exact(1)
  t.is(await other.ask('CLIENT', 'KILL', 'ID', `${id}`), 1)
  await t.throwsAsync(hearing, { code: 'ERR_UNEXPECTED_EOF' })
})

// ioredis, over our sockets

for (const family of ['inet', 'unix'] as const) {
  withClients(`ioredis sets and gets over ${family}, text and bytes, and is told what is wrong`, async t => {
    const { redis, sockets } = ioredis(t, family)
    const key = keyOf(t)
    t.is(await redis.set(key, 'Grüße\r\n'), 'OK')
    t.is(await redis.get(key), 'Grüße\r\n')
    await redis.set(key, Buffer.of(0, 255, 13, 10))
    t.deepEqual(await redis.getBuffer(key), Buffer.of(0, 255, 13, 10))
    await t.throwsAsync(redis.incr(key), { message: /not an integer/ })
    t.is(await redis.quit(), 'OK')
    await until(() => sockets.every(({ closed }) => closed))
    t.is(sockets.length, 1)
  })
}

withClients('a pipeline of 10,000 commands is answered in its order, and a transaction as one', async t => {
  const { redis } = ioredis(t, 'inet')
  const key = keyOf(t)
  const answers = await redis.pipeline(Array.from({ length: 10_000 }, () => ['incr', key])).exec()
  t.deepEqual(answers.map(([, number]) => number), Array.from({ length: 10_000 }, (_, i) => i + 1))
  t.deepEqual(await redis.multi([['set', key, 'x'], ['incr', key], ['get', key]]).exec().then(all => all.map(([error, value]) => error?.message ?? value)),
    ['OK', 'ERR value is not an integer or out of range', 'x'])
})

withClients('10,000 commands one by one, 100 at a time, are answered', async t => {
  const { redis } = ioredis(t, 'unix')
  const key = keyOf(t)
  await Promise.all(Array.from({ length: 100 }, async () => {
    for (let i = 0; i < 100; i++) await redis.incr(key)
  }))
  t.is(await redis.get(key), '10000')
})

withClients('a value of 20 MB goes there and back by ioredis', async t => {
  const { redis } = ioredis(t, 'inet')
  const value = Buffer.alloc(20_000_000, 'abcdefghij')
  await redis.set(keyOf(t), value)
  t.true((await redis.getBuffer(keyOf(t)))?.equals(value))
})

withClients('1,000 messages come to all who subscribe, in their order, until they do no more', async t => {
  const [{ redis: one }, { redis: other }, { redis: publisher }] = [ioredis(t, 'inet'), ioredis(t, 'unix'), ioredis(t, 'inet')]
  const channel = keyOf(t)
  const heard: [string[], string[]] = [[], []]
  one.on('message', (_channel: string, text: string) => heard[0].push(text))
  other.on('pmessage', (_pattern: string, _channel: string, text: string) => heard[1].push(text))
  await one.subscribe(channel, 'another')
  await other.psubscribe(`${channel.slice(0, 10)}*`)
  await Promise.all(Array.from({ length: 1000 }, (_, i) => publisher.publish(channel, `${i}`)))
  await until(() => heard.every(({ length }) => length === 1000))
  await one.unsubscribe(channel)
  t.is(await publisher.publish(channel, 'too late'), 1)
  const all = Array.from({ length: 1000 }, (_, i) => `${i}`)
  t.deepEqual(heard[0], all)
  t.deepEqual(heard[1].slice(0, 1000), all)
})

withClients('a wait for a list ends by what another client pushes', async t => {
  const [{ redis }, { redis: other }] = [ioredis(t, 'inet'), ioredis(t, 'unix')]
  const waiting = redis.blpop(keyOf(t), 0)
  await other.rpush(keyOf(t), 'here')
  t.deepEqual(await waiting, [keyOf(t), 'here'])
})

withClients('when the server ends a connection, ioredis makes another one and goes on', async t => {
  const [{ redis, sockets }, { redis: other }] = [ioredis(t, 'inet'), ioredis(t, 'unix')]
  const id = await redis.call('CLIENT', 'ID') as number
  const ready = new Promise(resolve => redis.on('close', () => redis.once('ready', resolve)))
  t.is(await other.call('CLIENT', 'KILL', 'ID', id), 1)
  await ready
  t.not(await redis.call('CLIENT', 'ID'), id)
  t.deepEqual(sockets.map(({ closed }) => closed), [true, false])
})

// redis, which takes no stream, so that our sockets are on both sides of a proxy in front of the server

withClients('redis sets, gets and counts through a proxy of ours', async t => {
  const client = await nodeRedis(t)
  const key = keyOf(t)
  const value = 'x'.repeat(5_000_000)
  t.is(await client.set(key, value), 'OK')
  t.true(await client.get(key) === value)
  await t.throwsAsync(client.incr(key), { message: /not an integer/ })
  const counts = await Promise.all(Array.from({ length: 10_000 }, () => client.incr(`${key}:count`)))
  t.deepEqual(counts, Array.from({ length: 10_000 }, (_, i) => i + 1))
})

withClients('messages come to redis through a proxy of ours', async t => {
  const [publisher, subscriber] = [await nodeRedis(t), await nodeRedis(t)]
  const heard: string[] = []
  await subscriber.subscribe(keyOf(t), text => void heard.push(text))
  await Promise.all(Array.from({ length: 1000 }, (_, i) => publisher.publish(keyOf(t), `${i}`)))
  await until(() => heard.length === 1000)
  t.deepEqual(heard, Array.from({ length: 1000 }, (_, i) => `${i}`))
})

withClients('when the server ends the connection behind the proxy, redis hears it, and goes on by another one', async t => {
  const client = await nodeRedis(t)
  const errors: Error[] = []
  client.on('error', (error: Error) => errors.push(error))
  const ready = new Promise(resolve => client.once('ready', resolve))
  const id = await client.sendCommand(['CLIENT', 'ID'])
  const { ask } = await visit(t, 'inet')
  await ask('CLIENT', 'KILL', 'ID', `${id as number}`)
  await ready
  t.not(await client.sendCommand(['CLIENT', 'ID']), id)
  t.is(errors.length, 1)
})

// The server goes down, which is before all else: the other tests wait for those that are serial

unless(lacksClients, test.serial)('when the server goes down ioredis waits for it, and goes on when it is there again', async t => {
  const { redis, sockets } = ioredis(t, 'inet')
  await redis.set(keyOf(t), 'x')
  const closed = new Promise(resolve => redis.once('close', resolve))
  await server.stop()
  await closed
  const answer = redis.get(keyOf(t))
  await until(() => sockets.length > 3)
  await server.start()
  t.is(await answer, null, 'it has kept nothing')
  t.deepEqual(sockets.filter(({ closed }) => !closed).length, 1)
})

interface Visit {
  socket: TcpSocket
  reader: Reader
  /** Sends a command; resolves to its reply. */
  ask(...words: (string | Buffer)[]): Promise<Reply>
}

/** A connection to the server. */
async function visit(t: ExecutionContext, family: Family): Promise<Visit> {
  const socket = await connected(closing(t, tcp(family)))
  const reader = socket.reader()
  const ask = async (...words: (string | Buffer)[]): Promise<Reply> => {
    await socket.send(command(...words))
    return await receive(reader)
  }
  return { socket, reader, ask }
}

/** Connects a socket to the server. */
async function connected(socket: TcpSocket): Promise<TcpSocket> {
  return await (socket.family === 'unix' ? socket.connect(`unix:${server.path}`, 0) : socket.connect('127.0.0.1', server.port))
}

/** A client of ioredis, and the sockets that it has used. */
function ioredis(t: ExecutionContext, family: Family): { redis: IoRedis; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  class Connector extends AbstractConnector {
    constructor({ disconnectTimeout }: { disconnectTimeout: number }) {
      super(disconnectTimeout)
    }

    async connect(): Promise<object> {
      this.connecting = true
      const socket = tcp(family)
      sockets.push(socket)
      this.stream = socket.toDuplex().connect(family === 'unix' ? { path: server.path } : { host: '127.0.0.1', port: server.port })
      return this.stream
    }
  }
  const redis = new IoRedisClient({ Connector, retryStrategy: () => 10 })
  redis.on('error', () => {}) // what befalls it the commands tell
  t.teardown(() => redis.disconnect())
  return { redis, sockets }
}

/** A client of redis that is connected to a proxy of ours. */
async function nodeRedis(t: ExecutionContext): Promise<NodeRedis> {
  const { address: { port } } = await serving(t, { onError() {} }, async socket => {
    const [client, behind] = [socket, await connected(tcp())].map(one => one.toDuplex())
    await pipeline(client!, behind!, client!)
  })
  const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 10 } })
  t.teardown(() => client.destroy())
  await client.connect()
  return client
}

/** A key, or channel, that is the test's own. */
function keyOf(t: ExecutionContext): string {
  return t.title
}
