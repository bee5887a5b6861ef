// A stream over a socket does what a net.Socket does: each scene is played with both, and both tell the same.
import { once } from 'node:events'
import { addAbortSignal } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { kinds, likeNode, reads, says, scene, type Kind, type Scene } from './_duplex.js'
import { unless, wine } from './_util.js'
import type { SocketDuplexOptions } from 'socket2'

interface Play {
  /** What the stream tells, and what is seen besides. */
  told: string
  options?: SocketDuplexOptions
  /** With whom one of our sockets, at either end, is to tell of a reset. */
  resets?: readonly Kind[]
  play(scene: Scene): Promise<void>
}

const plays: Record<string, Play> = {
  'the peer ends, and the stream ends by itself': {
    told: 'data last, end, finish, close false',
    async play(on) {
      reads(on)
      await on.peer.send('last')
      on.peer.shutdown('write')
      await on.closed
    }
  },
  'the peer ends, nobody reads, and the stream closes': {
    told: 'end, finish, close false',
    async play({ peer, closed }) {
      peer.shutdown('write')
      await closed
    }
  },
  'the peer ends, and a half-open stream goes on until it is ended': {
    told: 'end, written, finish, close false, writeOnly, more, rest ',
    options: { allowHalfOpen: true },
    async play(on) {
      reads(on)
      on.peer.shutdown('write')
      await once(on.stream, 'end')
      on.seen.push(on.stream.readyState)
      on.stream.write('more', says(on.heard, 'written'))
      on.seen.push(String(await on.peer.recvExact(4)))
      on.stream.end()
      on.seen.push(`rest ${String(await on.peer.recvAll())}`)
      await on.closed
    }
  },
  'the stream ends first, and closes when the peer ends': {
    told: 'ended, finish, data answer, end, close false, peer bye, readOnly, closed',
    async play(on) {
      reads(on)
      on.stream.end('bye', says(on.heard, 'ended'))
      on.seen.push(`peer ${String(await on.peer.recvAll())}`, on.stream.readyState)
      await on.peer.send('answer')
      on.peer.shutdown('write')
      await on.closed
      on.seen.push(on.stream.readyState)
    }
  },
  'the stream is destroyed': {
    told: 'close false, at once true closed true, peer 0',
    async play(on) {
      reads(on)
      on.stream.destroy()
      on.seen.push(`at once ${on.stream.destroyed} ${on.stream.readyState} ${on.stream.pending}`)
      await on.closed
      on.seen.push(`peer ${(await on.peer.recv()).length}`)
    }
  },
  'the stream is destroyed with an error': {
    told: 'error ENOUGH, close true',
    async play(on) {
      on.stream.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
      on.stream.destroy(new Error('again'))
      await on.closed
    }
  },
  'the stream is destroyed in the middle of its data': {
    told: 'data data, close false',
    async play(on) {
      reads(on)
      on.stream.once('data', () => on.stream.destroy())
      await on.peer.send('data')
      await on.closed
    }
  },
  'the stream is destroyed when it ends': {
    told: 'end, close false',
    async play(on) {
      reads(on)
      on.stream.once('end', () => on.stream.destroy())
      on.peer.shutdown('write')
      await on.closed
    }
  },
  'the stream is destroyed with an error in the middle of its data': {
    told: 'data data, error ENOUGH, close true',
    async play(on) {
      reads(on)
      on.stream.once('data', () => on.stream.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })))
      await on.peer.send('data')
      await on.closed
    }
  },
  'the peer resets while the stream is read': {
    told: 'error ECONNRESET, close true',
    resets: ['ours'],
    async play(on) {
      reads(on)
      on.peer.reset()
      await on.closed
    }
  },
  'the peer resets while nobody reads': {
    told: 'error ECONNRESET, close true',
    resets: ['ours'],
    async play({ peer, closed }) {
      peer.reset()
      await closed
    }
  },
  'the peer resets while a write waits': {
    told: 'error ECONNRESET, close true',
    resets: ['ours'],
    async play(on) {
      on.stream.write(Buffer.alloc(32 << 20))
      await on.peer.recvExact(1)
      on.peer.reset()
      await on.closed
    }
  },
  'the stream resets': {
    told: 'close false, peer ECONNRESET',
    resets: kinds,
    async play(on) {
      await on.peer.send('unread')
      on.stream.resetAndDestroy()
      await on.closed
      await on.peer.recv().catch((error: NodeJS.ErrnoException) => on.seen.push(`peer ${error.code}`))
    }
  },
  'what is written after the end is an error': {
    told: 'written failed ERR_STREAM_WRITE_AFTER_END, error ERR_STREAM_WRITE_AFTER_END, close true',
    async play(on) {
      on.stream.end('bye')
      on.stream.write('more', says(on.heard, 'written'))
      await on.closed
    }
  },
  'what is written after the peer has ended is EPIPE': {
    told: 'end, finish, written failed EPIPE, close false, taken false',
    async play(on) {
      reads(on)
      on.peer.shutdown('write')
      await once(on.stream, 'finish')
      on.seen.push(`taken ${on.stream.write('more', says(on.heard, 'written'))}`)
      await on.closed
    }
  },
  'what is written after it was destroyed is an error': {
    told: 'written failed ERR_STREAM_DESTROYED, close false',
    async play(on) {
      on.stream.destroy()
      on.stream.write('more', says(on.heard, 'written'))
      await on.closed
    }
  },
  'what is written in the listener of the end arrives': {
    told: 'end, written, finish, close false, peer and out',
    async play(on) {
      reads(on)
      on.stream.once('end', () => on.stream.write('and out', says(on.heard, 'written')))
      on.peer.shutdown('write')
      on.seen.push(`peer ${String(await on.peer.recvAll())}`)
      await on.closed
    }
  },
  'writes call back in their order, before it is finished': {
    told: 'first, second, nothing, end, finish, end, close false, peer one two three',
    async play(on) {
      on.stream.write('one ', says(on.heard, 'first'))
      on.stream.write(Buffer.from('two '), says(on.heard, 'second'))
      on.stream.write('', says(on.heard, 'nothing'))
      on.stream.end('three', says(on.heard, 'end'))
      on.seen.push(`peer ${String(await on.peer.recvAll())}`)
      on.peer.close()
      await on.closed
    }
  },
  'corked writes go out together, of every encoding': {
    told: 'first, second, finish, end, close false, written 34, 6772c3bcc39f65206772f6df6520686578206279746573206173636969203dd800de, written 34',
    async play(on) {
      on.stream.cork()
      on.stream.write('grüße ', says(on.heard, 'first'))
      on.stream.write('größe ', 'latin1', says(on.heard, 'second'))
      on.stream.write('686578', 'hex')
      on.stream.write('IA==', 'base64')
      on.stream.write(Buffer.from('bytes '))
      on.stream.write('ascii ', 'ascii')
      on.stream.write('😀', 'ucs2')
      on.seen.push(`written ${on.stream.bytesWritten}`)
      on.stream.uncork()
      on.stream.end()
      on.seen.push((await on.peer.recvAll()).toString('hex'))
      on.seen.push(`written ${on.stream.bytesWritten}`)
      on.peer.close()
      await on.closed
    }
  },
  'single writes of every encoding': {
    told: 'finish, end, close false, 6772c3bcc39f656772f6df65617363696968657820203dd800deefbfbd',
    async play(on) {
      for (const [text, encoding] of [['grüße', 'utf8'], ['größe', 'latin1'], ['ascii', 'ascii'], ['686578', 'hex'], ['IA==', 'base64'], ['IA', 'base64url'], ['😀', 'ucs2'], ['\ud800', 'utf-8']] as const) {
        await new Promise(resolve => on.stream.write(text, encoding, resolve))
      }
      on.stream.end()
      on.seen.push((await on.peer.recvAll()).toString('hex'))
      on.peer.close()
      await on.closed
    }
  },
  'pause holds the data back, and resume lets it go on': {
    told: 'data one two, end, finish, close false, paused true',
    async play(on) {
      reads(on)
      await Promise.all([once(on.stream, 'data'), on.peer.send('one ')])
      on.stream.pause()
      await on.peer.send('two')
      await turn()
      on.seen.push(`paused ${on.stream.isPaused()}`)
      on.stream.resume()
      await once(on.stream, 'data')
      on.peer.shutdown('write')
      await on.closed
    }
  },
  'text comes in whole characters': {
    told: 'data grüße 😀, end, finish, close false',
    async play(on) {
      on.stream.setEncoding('utf8')
      reads(on)
      const bytes = Buffer.from('grüße 😀')
      for (const byte of bytes) {
        const before = on.stream.bytesRead
        await on.peer.send(Uint8Array.of(byte))
        while (on.stream.bytesRead === before) await turn()
      }
      on.peer.shutdown('write')
      await on.closed
    }
  },
  'what is put back comes first': {
    told: 'data HEAD body, end, finish, close false, head ',
    async play(on) {
      await on.peer.send('head body')
      await once(on.stream, 'readable')
      on.seen.push(String(on.stream.read(5)))
      on.stream.unshift(Buffer.from('HEAD '))
      reads(on)
      on.peer.shutdown('write')
      await on.closed
    }
  },
  'readable tells, and read gives': {
    told: 'end, finish, close false, ab, cdef, null, null',
    async play(on) {
      await on.peer.send('abcdef')
      await once(on.stream, 'readable')
      on.seen.push(String(on.stream.read(2)), String(on.stream.read()), String(on.stream.read()))
      on.peer.shutdown('write')
      await once(on.stream, 'readable')
      on.seen.push(String(on.stream.read()))
      await on.closed
    }
  },
  'destroySoon writes all first': {
    told: 'finish, close false, peer to the last',
    async play(on) {
      on.stream.write('to the ')
      on.stream.end('last')
      on.stream.destroySoon()
      on.seen.push(`peer ${String(await on.peer.recvAll())}`)
      await on.closed
      on.stream.destroySoon()
    }
  },
  'an idle time is told, once, and again after something came': {
    told: 'timeout, listener, data awake, timeout, close false, timeout 0',
    async play(on) {
      reads(on)
      on.stream.setTimeout(20, () => on.heard.push('listener'))
      await once(on.stream, 'timeout')
      await on.peer.send('awake')
      await once(on.stream, 'timeout')
      on.stream.setTimeout(0)
      on.seen.push(`timeout ${on.stream.timeout}`)
      on.stream.destroy()
      await on.closed
    }
  },
  'a listener of the idle time is taken off with it': {
    told: 'timeout, close false, 1, 30',
    async play(on) {
      const listener = (): void => void on.heard.push('listener')
      on.stream.setTimeout(10, listener)
      on.stream.setTimeout(0, listener)
      on.seen.push(String(on.stream.listenerCount('timeout')))
      on.stream.setTimeout(30)
      await once(on.stream, 'timeout')
      on.stream.destroy()
      on.stream.setTimeout(1)
      on.seen.push(String(on.stream.timeout))
      await on.closed
    }
  },
  'iterating it gives all, and leaving destroys it': {
    told: 'one, error ABORT_ERR, close true, true',
    async play(on) {
      await on.peer.send('one')
      for await (const chunk of on.stream) {
        on.heard.push(String(chunk))
        break
      }
      on.seen.push(String(on.stream.destroyed))
      await on.closed
    }
  },
  'an abort destroys it': {
    told: 'error ABORT_ERR, close true',
    async play(on) {
      const controller = new AbortController()
      addAbortSignal(controller.signal, on.stream)
      controller.abort()
      await on.closed
    }
  }
}

for (const [title, { told, options, resets, play }] of Object.entries(plays)) {
  for (const kind of kinds) {
    if (kind === 'net' && !likeNode) continue
    const unseen = wine === 8 && resets?.includes(kind) === true && 'Wine 8 shows a reset as the end of the stream'
    unless(unseen)(`${title}, ${kind === 'net' ? 'with a net.Socket' : 'with a stream over one of ours'}`, async t => {
      const on = await scene(t, kind, options)
      await play(on)
      // What comes after the end would be too much.
      await turn()
      t.is([...on.heard, ...on.seen].join(', '), told)
    })
  }
}
