// Threads beside this one, and processes: what keeps them alive.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { loop, pollerHandle, tcp } from 'socket2'
import { afterwards, connection, keep, rounds, unless, wine, type Check, type Checks } from './host.js'

export const processChecks: Checks = {
  async 'a worker has a loop of its own, and its end harms nobody'() {
    const [client, peer] = await connection()
    const receiving = client.recv()
    const worker = begin('worker', { how: 'stop' })
    assert.deepEqual(await once(worker, 'message'), [{ polled: true, received: 'x' }])
    assert.equal(loop.running, true)
    await worker.terminate()
    await peer.send('still here')
    assert.equal(String(await receiving), 'still here')
  },
  async 'a worker with an idle socket ends by itself'() {
    const worker = begin('worker', { how: 'idle' })
    assert.deepEqual(await once(worker, 'exit'), [0])
  },
  async 'a worker is terminated in the middle of its traffic'() {
    const server = keep(await tcp().listen('127.0.0.1'))
    const echoes: Promise<void>[] = []
    let begun = (): void => {}
    const traffic = new Promise<void>(resolve => (begun = resolve))
    const serving = (async () => {
      for await (const peer of server.connections()) {
        echoes.push(echo(peer))
        begun()
      }
    })()
    const worker = begin('worker', { how: 'terminate', address: server.localAddress!.toJSON(), messages: 0 })
    await Promise.all([once(worker, 'message'), traffic])
    await worker.terminate()
    server.close()
    await serving
    await Promise.all(echoes)
  },
  async 'two threads share a poller, and each gets the events of its own sockets'() {
    const worker = begin('shared_echo', { poller: pollerHandle() })
    const [{ port, poller }] = (await once(worker, 'message')) as [{ port: number; poller: number | bigint }]
    assert.equal(poller, pollerHandle())
    const [here, there] = await connection()
    const client = await tcp().connect('127.0.0.1', port)
    for (let i = 0; i < rounds(100); i++) {
      const receiving = here.recv()
      await client.send(`${i}`)
      assert.equal(String(await client.recv()), `${i}`)
      await there.send('here')
      assert.equal(String(await receiving), 'here')
    }
    await worker.terminate()
    await there.send('still')
    assert.equal(String(await here.recv()), 'still')
  },
  'the process ends with an idle listener': ends('idle listener', 'left\n'),
  'the process ends with an idle connection': ends('idle connection', 'left\n'),
  'the process ends with an idle datagram socket': ends('idle udp', 'left\n'),
  'the process ends though something waits, after unref': ends('unref', 'left\n'),
  'the process ends though something waits, after unref in the middle of it': ends('unref while it waits', 'left\n'),
  'the process ends though something waits, after stop': ends('stop', 'left\n'),
  'what waits keeps the process alive until its deadline': ends('pending with a deadline', 'left\nETIMEDOUT\n'),
  'the process ends when what kept it alive is closed': ends('close of what waits', 'left\nERR_SOCKET_CLOSED\n'),
  'the process ends after traffic': ends('traffic, then nothing', 'left\n'),
  async 'the process goes on while something waits'() {
    const process_ = child('ref after unref')
    await once(process_.stdout, 'data')
    const exit = once(process_, 'exit')
    const first = await Promise.race([exit.then(() => 'it ended'), new Promise(resolve => setTimeout(resolve, 300, 'it goes on'))])
    assert.equal(first, 'it goes on')
    process_.kill('SIGKILL')
    await exit
  }
}

/** A case of alive.ts in a process of its own, which ends by itself and has said so much. */
function ends(case_: string, said: string): Check {
  return unless(wine > 0 && 'process.spec.ts has it, under the same Node', async () => {
    const process_ = child(case_)
    let [output, errors] = ['', '']
    process_.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    process_.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const [code] = (await once(process_, 'close')) as [number | null]
    assert.deepEqual({ code, output }, { code: 0, output: said }, errors)
  })
}

function child(case_: string) {
  const process_ = spawn(process.execPath, [fileURLToPath(new URL('../alive.js', import.meta.url)), case_], { stdio: ['ignore', 'pipe', 'pipe'] })
  afterwards(() => process_.kill('SIGKILL'))
  return process_
}

function begin(script: string, workerData: object): Worker {
  const worker = new Worker(new URL(`../${script}.js`, import.meta.url), { workerData })
  afterwards(() => worker.terminate())
  return worker
}

async function echo(peer: AsyncIterable<Buffer> & { send(data: Buffer): Promise<number>; close(): void }): Promise<void> {
  try {
    for await (const data of peer) await peer.send(data)
  } catch {
    // A worker that was terminated has reset its connections.
  }
  peer.close()
}
