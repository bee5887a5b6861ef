/** What runs in each thread of a server. Started by thread.mjs, which knows how to load any module. */
import { setImmediate } from 'node:timers'
import { parentPort } from 'node:worker_threads'
import { Attending, warn, type Handler } from './attending.js'
import type { News, Orders } from './crew.js'
import { typeError } from './errors.js'
import { attach } from './move.js'
import { securing } from './securing.js'
import type { SocketHandle } from './socket.js'
import { told } from './told.js'

/** Waits for its orders. `load` imports a module. */
export function begin(load: (href: string) => Promise<unknown>): void {
  parentPort?.once('message', (orders: Orders) => void work(orders, load))
}

async function work({ port, handler, idleTimeout, tls }: Orders, load: (href: string) => Promise<unknown>): Promise<void> {
  const say = (news: News): void => port.postMessage(news)
  let attending: Attending
  try {
    const prepare = tls && await securing(tls)
    attending = new Attending(handlerOf(await load(handler), handler), idleTimeout, error => say({ error: told(error) }), prepare)
  } catch (error) {
    // This thread is ended when that has been heard.
    port.ref()
    say({ failed: told(error) })
    return
  }
  const ended: string[] = []
  const tell = (): void => say({ ended: ended.splice(0) })
  port.on('message', async (message: SocketHandle<'tcp'> | 'closing' | 'end') => {
    if (message === 'closing') return attending.closing()
    if (message === 'end') return attending.end()
    const leave = (): void => {
      if (ended.push(message.key) === 1) setImmediate(tell)
    }
    try {
      attending.take(await attach(message), leave)
    } catch (error) {
      leave()
      warn(error, undefined)
    }
  })
  say({ ready: true })
}

/** The handler of a module. What was CommonJS has its exports for a default export, and that may have one of its own. */
function handlerOf(module: unknown, href: string): Handler {
  const exported = (module as { default?: unknown }).default
  const handler = typeof exported === 'function' ? exported : (exported as { default?: unknown } | undefined)?.default
  if (typeof handler !== 'function') throw typeError('options.handler', `a module whose default export is a function (${href})`, exported)
  return handler as Handler
}
