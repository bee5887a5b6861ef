/** Servers of many threads. What holds for all servers is in serve.spec.ts. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { loop, serve, tcp, type Server, type ServeThreadsOptions, type TcpSocket } from 'socket2'
import { ask, gone, serving, until, visit } from './_serve.js'
import { child, closing, listener, wine } from './_util.js'

const handler = new URL('_child/handler.js', import.meta.url)
/** How many threads a server of a process of its own has: each that loads the library takes Wine a third of a second. */
const several = wine > 0 ? '2' : '3'

// Who gets what

test('connections are spread over the threads by how many each has', async t => {
  const server = await threaded(t, { threads: 3 })
  const clients = await visitors(t, server, 10)
  const count = (): number[] => {
    const counts = new Map<string, number>()
    for (const { thread, client } of clients) if (!client.closed) counts.set(thread, (counts.get(thread) ?? 0) + 1)
    return [...counts.values()].toSorted((a, b) => b - a)
  }
  t.deepEqual(count(), [4, 3, 3])
  const [first] = clients
  const leaving = clients.filter(({ thread }) => thread === first!.thread)
  for (const { client } of leaving) client.close()
  await until(() => server.connections === 10 - leaving.length)
  const more = await visitors(t, server, 3)
  t.deepEqual(more.map(({ thread }) => thread), [first!.thread, first!.thread, first!.thread])
  clients.push(...more)
  t.deepEqual(count(), [3, 3, 3])
})

test('limits count the connections of all threads', async t => {
  const server = await threaded(t, { threads: 2, maxConnections: 3, maxConnectionsPerAddress: 4 })
  const [first] = await visitors(t, server, 3)
  t.is(server.connections, 3)
  t.is(await gone(await visit(t, server)), '')
  first!.client.close()
  await until(() => server.connections === 2)
  await visitors(t, server, 1)
})

test('the threads have the workerData they are given', async t => {
  const server = await threaded(t, { workerData: { of: 'ours' } })
  t.is(await ask(await visit(t, server), 'data'), '{"of":"ours"}')
  t.is(await threaded(t, { workerData: () => {} }).catch((error: Error) => error.name), 'DataCloneError')
})

test('the threads have the environment and the arguments they are given', async t => {
  const server = await threaded(t, { env: { ...process.env, OURS: 'too' }, argv: ['more'] })
  t.is(await ask(await visit(t, server), 'environment'), '["too",["more"]]')
})

test('the threads may use as much memory as they are given', async t => {
  const server = await threaded(t, { resourceLimits: { maxOldGenerationSizeMb: 50 } })
  t.is(await ask(await visit(t, server), 'memory'), '50')
})

test('what is thrown may be anything, and does not end its thread', async t => {
  const errors: unknown[] = []
  const server = await threaded(t, { threads: 1, onError: error => errors.push(error) })
  const [stays] = await visitors(t, server, 1)
  for (const odd of ['nothing', 'odd']) {
    const client = await visit(t, server)
    await client.send(odd)
    t.is(await gone(client), '')
  }
  await until(() => errors.length === 2)
  t.true(errors.every(error => error instanceof Error))
  t.is(await ask(stays!.client, 'still'), 'still')
})

test('threads start also where Node was given options of V8', async t => {
  const { code, stdout, stderr } = await child(t, 'served', ['flags', '2'], ['--max-old-space-size=500', '--stack-size=900'])
  t.deepEqual([stderr, code, stdout], ['', 0, 'served\n'])
})

test('a connection that someone closes before its thread gets it concerns no other', async t => {
  const unwanted = new Set<string>()
  const refuse = (message: unknown): void => {
    const { socket } = message as { socket: TcpSocket }
    if (unwanted.has(String(socket.remoteAddress))) socket.close()
  }
  subscribe('socket2:accept', refuse)
  t.teardown(() => unsubscribe('socket2:accept', refuse))
  const server = await threaded(t, { threads: 1 })
  for (let i = 0; i < 5; i++) {
    const client = await closing(t, tcp()).bind('127.0.0.1')
    unwanted.add(String(client.localAddress))
    await client.connect(server.address)
    await gone(client)
  }
  t.is(await ask(await visit(t, server), 'others'), 'others')
  t.is(server.connections, 1)
})

test('a connection on which nothing happens for idleTimeout is closed by its thread', async t => {
  const server = await threaded(t, { idleTimeout: 50 })
  t.is(await gone(await visit(t, server)), '')
  await until(() => server.connections === 0)
})

// The module

for (const [kind, name, text] of [
  ['an ES module', 'handler.mjs', 'export default socket => socket.send("hello")'],
  ['a CommonJS module', 'handler.cjs', 'module.exports = socket => socket.send("hello")'],
  ['a CommonJS module that was an ES module', 'compiled.cjs', 'exports.__esModule = true; exports.default = socket => socket.send("hello")'],
  ['a module that takes its time', 'slow.mjs', 'await new Promise(resolve => setTimeout(resolve, 20)); export default socket => socket.send("hello")']
] as const) {
  test(`the handler is ${kind}`, async t => {
    const path = file(t, name, text)
    const server = await threaded(t, { handler: path })
    t.is(await gone(await visit(t, server)), 'hello')
  })
}

test('the handler is a data: URL', async t => {
  const server = await threaded(t, { handler: 'data:text/javascript,export default socket => socket.send("hello")' })
  t.is(await gone(await visit(t, server)), 'hello')
})

test('a module that is missing, throws, ends its thread or has no handler rejects with that, and leaves no thread', async t => {
  const missing = file(t, 'handler.mjs', '').replace('handler.mjs', 'missing.mjs')
  await t.throwsAsync(threaded(t, { handler: missing }), { code: 'ERR_MODULE_NOT_FOUND' })
  const thrown = await t.throwsAsync(threaded(t, { handler: file(t, 'throws.mjs', 'throw Object.assign(new RangeError("on purpose"), { code: "ERR_ON_PURPOSE" })') }), {
    name: 'RangeError', code: 'ERR_ON_PURPOSE', message: 'on purpose'
  })
  t.regex(thrown?.stack ?? '', /throws\.mjs/)
  await t.throwsAsync(threaded(t, { handler: file(t, 'text.mjs', 'throw "on purpose"') }), { message: 'on purpose' })
  await t.throwsAsync(threaded(t, { handler: file(t, 'syntax.mjs', 'export default (') }))
  await t.throwsAsync(threaded(t, { handler: file(t, 'exits.mjs', 'process.exit(5)') }), { name: 'SocketError', code: 'ERR_SOCKET_THREAD_EXIT', message: /status 5/ })
  for (const text of ['export const handler = () => {}', 'export default 5', 'export default { default: 5 }']) {
    await t.throwsAsync(threaded(t, { handler: file(t, 'none.mjs', text) }), { code: 'ERR_INVALID_ARG_TYPE', message: /default export .*none\.mjs/ })
  }
})

test('a signal that aborts ends a start that would have no end', async t => {
  const controller = new AbortController()
  t.teardown(() => controller.abort())
  const begun = new Int32Array(new SharedArrayBuffer(4))
  const path = file(t, 'endless.mjs', `
    import { workerData } from 'node:worker_threads'
    setInterval(() => {}, 1e6)
    Atomics.add(workerData, 0, 1)
    await new Promise(() => {})
  `)
  const starting = serve({ host: '127.0.0.1', threads: 2, handler: path, workerData: begun, signal: controller.signal })
  await until(() => Atomics.load(begun, 0) === 2)
  const reason = new Error('on purpose')
  controller.abort(reason)
  t.is(await t.throwsAsync(starting), reason)
})

test('a listener that its owner closes while the threads start is ERR_SOCKET_CLOSED, and leaves no thread', async t => {
  const given = await listener(t)
  const begun = new Int32Array(new SharedArrayBuffer(8))
  const path = file(t, 'waiting.mjs', `
    import { workerData } from 'node:worker_threads'
    Atomics.add(workerData, 0, 1)
    Atomics.wait(workerData, 1, 0)
    setInterval(() => Atomics.add(workerData, 0, 1), 5)
    export default () => {}
  `)
  const starting = serve({ listener: given, threads: 2, handler: path, workerData: begun })
  await until(() => Atomics.load(begun, 0) === 2)
  given.close()
  Atomics.store(begun, 1, 1)
  Atomics.notify(begun, 1)
  await t.throwsAsync(starting, { code: 'ERR_SOCKET_CLOSED' })
  const ticks = Atomics.load(begun, 0)
  await delay(50)
  t.is(Atomics.load(begun, 0), ticks)
})

test('an import that waits for what never comes ends its thread', async t => {
  await t.throwsAsync(threaded(t, { handler: file(t, 'never.mjs', 'await new Promise(() => {}); export default () => {}') }), { code: 'ERR_SOCKET_THREAD_EXIT' })
})

// What goes wrong

test('onError hears what handlers throw, with code and stack', async t => {
  const told: [error: unknown, socket: unknown][] = []
  const server = await threaded(t, { onError: (...all) => told.push(all) })
  const client = await visit(t, server)
  await client.send('fail')
  t.is(await gone(client), '')
  await until(() => told.length === 1 && server.connections === 0)
  const [[error, socket]] = told as [[Error & { code: string }, unknown]]
  t.deepEqual([error.name, error.message, error.code, socket], ['RangeError', 'on purpose', 'ERR_ON_PURPOSE', undefined])
  t.true(error instanceof Error)
  t.regex(error.stack ?? '', /handler\.js/)
  t.is(await ask(await visit(t, server), 'x'), 'x')
})

test('what handlers throw in any thread is one warning, where nobody asks for it', async t => {
  const { code, stdout, stderr } = await child(t, 'served', ['warnings', several], ['--no-warnings'])
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), [{ name: 'SocketServerWarning', code: 'SOCKET2_SERVER', says: true }])
})

for (const [how, expected] of [
  ['exit', { name: 'SocketError', code: 'ERR_SOCKET_THREAD_EXIT', message: 'a thread of the server ended with status 3' }],
  ['uncaught', { name: 'Error', message: 'caught by nobody' }]
] as const) {
  test(`a thread that ends (${how}) is told and replaced; its connections are closed, the others never notice`, async t => {
    const told: [error: unknown, socket: unknown][] = []
    const server = await threaded(t, { threads: 2, onError: (...all) => told.push(all) })
    const [dying, other, bystander] = await visitors(t, server, 3)
    t.is(bystander!.thread, dying!.thread)
    await dying!.client.send(how)
    t.deepEqual(await Promise.all([gone(dying!.client), gone(bystander!.client)]), ['', ''])
    await until(() => server.connections === 1 && told.length > 0)
    t.deepEqual(told.map(([error, socket]) => [socket, (error as Error).name, (error as Error).message]), [[undefined, expected.name, expected.message]])
    if ('code' in expected) t.like(told[0]![0], { code: expected.code })
    t.is(await ask(other!.client, 'still here'), 'still here')
    // Until it has been replaced, all go to the one that is left.
    for (let replaced = false; !replaced;) {
      const [visitor] = await visitors(t, server, 1)
      replaced = visitor!.thread !== other!.thread
    }
    t.is(await ask(other!.client, 'still here'), 'still here')
  })
}

for (const how of ['spin', 'block']) {
  test(`a handler that blocks its thread for ever (${how}) harms no other, and does not hold up close`, async t => {
    const server = await threaded(t, { threads: 2 })
    const [blocking, other] = await visitors(t, server, 2)
    await blocking!.client.send(how)
    for (let i = 0; i < 10; i++) t.is(await ask(other!.client, `${i}`), `${i}`)
    await server.close({ grace: 0 })
    t.deepEqual([await gone(blocking!.client), await gone(other!.client), server.connections], ['', '', 0])
  })
}

test.serial('connections that no thread has taken are closed with the server, and nothing is left of them', async t => {
  const before = loop.detached
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const server = await threaded(t, { handler: file(t, 'gate.mjs', blockingAtGate), workerData: gate })
  await visit(t, server)
  await until(() => Atomics.load(gate, 0) === 1)
  const waiting = await Promise.all(Array.from({ length: 5 }, () => visit(t, server)))
  await until(() => server.connections === 6)
  t.is(loop.detached, before + 5)
  await server.close({ grace: 0 })
  t.deepEqual(await Promise.all(waiting.map(gone)), ['', '', '', '', ''])
  t.deepEqual([loop.detached, server.connections], [before, 0])
})

test.serial('connections that a thread has not taken when it dies are closed, and nothing is left of them', async t => {
  const before = loop.detached
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const errors: unknown[] = []
  const server = await threaded(t, { handler: file(t, 'gate.mjs', blockingAtGate), workerData: gate, onError: error => errors.push(error) })
  const deadly = await visit(t, server)
  await until(() => Atomics.load(gate, 0) === 1)
  const waiting = await Promise.all([1, 2, 3].map(() => visit(t, server)))
  await until(() => server.connections === 4)
  Atomics.store(gate, 1, 1)
  Atomics.notify(gate, 1)
  t.deepEqual(await Promise.all([deadly, ...waiting].map(gone)), ['', '', '', ''])
  await until(() => server.connections === 0 && errors.length === 1)
  t.is(loop.detached, before)
})

test('threads that die as they begin are tried again, later each time; who connects meanwhile waits for one that lives', async t => {
  const refusing = new Int32Array(new SharedArrayBuffer(4))
  const times: number[] = []
  const errors: unknown[] = []
  const server = await threaded(t, {
    workerData: refusing,
    onError(error) {
      errors.push(error)
      times.push(performance.now())
    }
  })
  const [dying] = await visitors(t, server, 1)
  Atomics.store(refusing, 0, 1)
  await dying!.client.send('exit')
  t.is(await gone(dying!.client), '')
  // Before that one would be given to the thread that ends.
  await until(() => times.length > 0)
  const waiting = await Promise.all([1, 2, 3].map(() => visit(t, server)))
  const answers = waiting.map((client, i) => ask(client, `${i}`))
  await until(() => times.length >= 5)
  t.deepEqual(errors.slice(0, 5).map(error => (error as Error).message), ['a thread of the server ended with status 3', ...Array.from({ length: 4 }, () => 'not now')])
  // 100, 200, 400 and 800 ms; where beginning takes more than a second that is waited instead, and the next wait is none.
  t.true(times[4]! - times[0]! > 690, times.join())
  Atomics.store(refusing, 0, 0)
  t.deepEqual(await Promise.all(answers), ['0', '1', '2'])
})

// The end

test('close tells the handlers of all threads, and waits for them', async t => {
  const server = await threaded(t, { threads: 2 })
  const clients = (await visitors(t, server, 4)).map(({ client }) => client)
  for (const client of clients.slice(0, 3)) t.is(await ask(client, 'stay'), 'staying')
  const last = clients[3]!
  let closed = false
  const close = server.close({ grace: 1e6 }).then(() => (closed = true))
  t.deepEqual(await Promise.all(clients.slice(0, 3).map(gone)), ['bye', 'bye', 'bye'])
  t.is(await ask(last, 'still here'), 'still here')
  t.false(closed)
  await t.throwsAsync(visit(t, server))
  last.close()
  await close
  t.is(server.connections, 0)
})

test('after its grace close closes those that are left, in all threads', async t => {
  const errors: unknown[] = []
  const server = await threaded(t, { threads: 2, onError: error => errors.push(error) })
  const clients = (await visitors(t, server, 4)).map(({ client }) => client)
  t.is(await ask(clients[0]!, 'never'), 'staying')
  const since = performance.now()
  await server.close({ grace: 50 })
  t.true(performance.now() - since > 45)
  t.deepEqual(await Promise.all(clients.map(gone)), ['', '', '', ''])
  t.deepEqual(errors, [])
})

test('close while threads are replaced ends that, too', async t => {
  const errors: unknown[] = []
  const refusing = new Int32Array(new SharedArrayBuffer(4))
  const server = await threaded(t, { workerData: refusing, onError: error => errors.push(error) })
  Atomics.store(refusing, 0, 1)
  const [dying] = await visitors(t, server, 1)
  await dying!.client.send('exit')
  await until(() => errors.length >= 2)
  const waiting = await visit(t, server)
  await server.close()
  t.is(await gone(waiting), '')
})

test('a signal ends the server with its threads', async t => {
  const controller = new AbortController()
  const server = await threaded(t, { threads: 2, signal: controller.signal })
  const clients = (await visitors(t, server, 2)).map(({ client }) => client)
  t.is(await ask(clients[0]!, 'never'), 'staying')
  controller.abort()
  t.deepEqual(await Promise.all(clients.map(gone)), ['', ''])
  await server.close()
})

// The process

for (const how of ['closed', 'closed by force', 'listener unref\'ed', 'listener unref\'ed, after a connection']) {
  test(`the process ends by itself, threads and all: ${how}`, async t => {
    t.like(await child(t, 'served', [how, several]), { code: 0, stdout: 'left\n', stderr: '' })
  })
}

for (const how of ['listening', 'listener unref\'ed, with a connection']) {
  test(`the process goes on: ${how}`, async t => {
    t.like(await child(t, 'served', [how, several]), { code: 0, stdout: 'left\nstill here\n', stderr: '' })
  })
}

test('the process ends by itself also when threads wait to be tried again as the server is closed', async t => {
  t.like(await child(t, 'served', ['closed in a crash loop', '1']), { code: 0, stdout: 'left\nat once\n', stderr: '' })
})

test('servers that come and go, with threads that end in their midst, leave no descriptor and no thread', async t => {
  const { code, stdout, stderr } = await child(t, 'served', ['leaks', several])
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout) ?? { threads: 0, descriptors: 0 }, { threads: 0, descriptors: 0 })
})

/** A handler that says that it blocks its thread, and ends it when it is let go on. */
const blockingAtGate = `
  import { workerData } from 'node:worker_threads'
  export default () => {
    Atomics.store(workerData, 0, 1)
    Atomics.wait(workerData, 1, 0)
    process.exit(3)
  }
`

async function threaded(t: ExecutionContext, options: Partial<ServeThreadsOptions>): Promise<Server> {
  return await serving(t, { threads: 1, handler, ...options })
}

/** Connections, one after the other, and the thread that each is in. */
async function visitors(t: ExecutionContext, server: Server, count: number): Promise<{ client: TcpSocket; thread: string }[]> {
  const visitors: { client: TcpSocket; thread: string }[] = []
  for (let i = 0; i < count; i++) {
    const client = await visit(t, server)
    visitors.push({ client, thread: await ask(client, 'thread') })
  }
  return visitors
}

/** The path of a module of this text. */
function file(t: ExecutionContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 's2-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
