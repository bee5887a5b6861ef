// What a process holds: threads, and descriptors of sockets and pollers. Known where the system has /proc; null elsewhere.
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { loop } from 'socket2'

export interface Census {
  threads: number
  descriptors: number
}

/**
 * Detached sockets do not count: one whose thread was terminated before it could be sent is nobody's, and stays open until the process
 * ends. Files do not, either: Node forgets the module that a worker was reading when it was terminated.
 */
export function census(): Census | null {
  if (process.platform === 'win32' || !existsSync('/proc/self/task')) return null // under Wine it is there, and tells of Wine
  const links = readdirSync('/proc/self/fd').map(fd => link(`/proc/self/fd/${fd}`))
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: links.filter(path => /^(socket|anon_inode)/.test(path)).length - loop.detached
  }
}

/** What there is more than `before`, once what is under way has had its time to end. */
export async function left(before: Census | null): Promise<Census | null> {
  for (let i = 0; ; i++) {
    const now = census()
    if (now === null || before === null) return null
    const more = {
      threads: Math.max(now.threads - before.threads, 0),
      descriptors: Math.max(now.descriptors - before.descriptors, 0)
    }
    if (more.threads + more.descriptors === 0 || i === 1500) return more
    await delay(10)
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // the descriptor of the folder itself
  }
}
