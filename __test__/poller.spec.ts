import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { epollFd, iocp, pollerHandle, udp } from 'socket2'
import { closing, lacks, unless } from './_util.js'

unless(lacks.linux)('epollFd is the descriptor of an epoll instance, the one that pollerHandle tells', t => {
  t.is(readlinkSync(`/proc/self/fd/${epollFd()}`), 'anon_inode:[eventpoll]')
  t.is(pollerHandle(), epollFd())
})

test('the handle of the poller stays the same, also when sockets have been waited for', async t => {
  const handle = pollerHandle()
  t.is(typeof handle, process.platform === 'win32' ? 'bigint' : 'number')
  const socket = await closing(t, udp()).bind(false)
  const receiving = socket.recv()
  await socket.send('to itself', socket.localAddress!)
  await receiving
  t.is(pollerHandle(), handle)
})

test('every thread has a poller of its own', async t => {
  const workers = [1, 2].map(() => new Worker(new URL('_child/poller.js', import.meta.url)))
  const answers = await Promise.all(workers.map(async worker => {
    const [[before, after]] = (await once(worker, 'message')) as [[number, number]]
    t.is(before, after)
    return before
  }))
  t.false(answers.includes(pollerHandle() as number))
  await Promise.all(workers.map(worker => worker.terminate()))
})

test('the handle of this thread’s own poller changes nothing', t => {
  const handle = pollerHandle()
  t.is(pollerHandle(handle), handle)
  t.is(pollerHandle(BigInt(handle)), handle)
  if (process.platform === 'linux') t.is(epollFd(epollFd()), Number(handle))
  if (process.platform === 'win32') t.is(iocp(iocp()), BigInt(handle))
  t.is(pollerHandle(), handle)
})

// Before others open sockets, which is another error.
test.serial('what is no handle of a poller is refused', t => {
  for (const none of [-1, 1.5, NaN, Infinity, 2 ** 40, 2n ** 70n]) {
    t.throws(() => pollerHandle(none), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' }, String(none))
  }
  t.throws(() => pollerHandle('1' as never), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  if (process.platform === 'linux') t.throws(() => epollFd(1n as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('what the platform does not have says so', t => {
  const unsupported = { name: 'SocketError', code: 'ERR_UNSUPPORTED_PLATFORM' }
  if (process.platform !== 'linux') t.throws(() => epollFd(), unsupported)
  if (process.platform !== 'win32') t.throws(() => iocp(), unsupported)
})
