/** examples/restart.ts: a server that is replaced by a new process of itself, under load. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { fromFd, tcp } from 'socket2'
import { closing, freshPath, lacks, unless } from './_util.js'

const RESTARTS = 5

unless(lacks.handles)(`a server that is replaced ${RESTARTS} times under load refuses no connection, and each process serves`, async t => {
  const path = freshPath(t)
  let server = await serving(t, path)
  const load = start(t, new URL('_child/short_connections.js', import.meta.url), String(server.port))
  const served: unknown[] = [await load.line()]
  const pids = [server.pid]
  for (let i = 0; i < RESTARTS; i++) {
    const successor = await serving(t, path)
    t.is(successor.port, server.port)
    t.deepEqual(await server.exit, [0, null])
    server = successor
    pids.push(server.pid)
    served.push(await load.line())
  }
  load.stdin.end()
  const { count, failures } = JSON.parse(await load.line()) as { count: number; failures: string[] }
  t.deepEqual(failures, [])
  t.deepEqual(served, pids.map(String))
  t.true(count > RESTARTS)
  t.log(`${count} connections`)
  server.kill('SIGTERM')
  await server.exit
  t.false(existsSync(path), 'it took its path away, so it ended by itself')
})

unless(lacks.handles)('a connection of a server that is replaced has its answer before it ends, and the next one is the new server’s', async t => {
  const path = freshPath(t)
  const old = await serving(t, path)
  const client = await closing(t, tcp()).connect('127.0.0.1', old.port)
  await client.send('one\n')
  const reader = client.reader()
  t.is(await reader.line(), `${old.pid} one`)
  const successor = await serving(t, path)
  await client.send('two\n')
  t.is(await reader.line(), `${old.pid} two`)
  t.is(await reader.line(), null)
  t.deepEqual(await old.exit, [0, null])
  const next = await closing(t, tcp()).connect('127.0.0.1', old.port)
  await next.send('three\n')
  t.is(await next.reader().line(), `${successor.pid} three`)
})

unless(lacks.handles)('a server goes on when a successor leaves before it accepts', async t => {
  const path = freshPath(t)
  const server = await serving(t, path)
  const visitor = await closing(t, tcp('unix')).connect(`unix:${path}`)
  const { handles } = await visitor.recvHandles()
  t.is(handles.length, 1)
  fromFd(handles[0]!, 'tcp').close()
  visitor.close()
  t.regex(await server.complaint(), new RegExp(`^${server.pid} goes on: `))
  const successor = await serving(t, path)
  t.is(successor.port, server.port)
  t.deepEqual(await server.exit, [0, null])
})

/** Starts the example; resolves when it serves. */
async function serving(t: ExecutionContext, path: string) {
  const process_ = start(t, new URL('../examples/restart.js', import.meta.url), path)
  const greeting = await process_.line()
  t.regex(greeting, new RegExp(`^${process_.pid} serves at `))
  return { ...process_, port: Number(/\d+$/.exec(greeting)?.[0]) }
}

function start(t: ExecutionContext, script: URL, argument: string) {
  const child = spawn(process.execPath, [fileURLToPath(script), argument], { stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  const [lines, complaints] = [child.stdout, child.stderr].map(output => createInterface(output)[Symbol.asyncIterator]())
  return {
    pid: child.pid,
    stdin: child.stdin,
    exit: once(child, 'exit'),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    line: async () => String((await lines!.next()).value),
    complaint: async () => String((await complaints!.next()).value)
  }
}
