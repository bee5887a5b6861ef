// The room of chat.ts: who is in it, and what they say.
import { setTimeout as pause } from 'node:timers/promises'
import type { SocketError, TcpSocket } from 'socket2'
import { harmless } from './command.js'
import { Member } from './member.js'

/** The longest line, in bytes; and how fast they may come for long, in ms each, and at a stretch. */
const [LONGEST, PACE, STRETCH] = [1000, 50, 20]
/** How many names are shown at a time; and how long a connection is given to end, in ms. */
const [SHOWN, FAREWELL] = [50, 500]

export class Room {
  /** By their names as they are compared. */
  readonly #members = new Map<string, Member>()

  /** Somebody is in the room until they leave, their connection ends, or the room closes. */
  async visit(socket: TcpSocket, closing: AbortSignal): Promise<void> {
    let number = 1
    while (this.#members.has(`guest${number}`)) number++
    const member = new Member(socket, `guest${number}`)
    this.#members.set(member.name, member)
    member.tell(`-- welcome, ${member.name}. Here: ${this.#names()}. You may /nick name, /who, /me does something, /quit`)
    this.#all(`-- ${member.name} joined`, member)

    const close = (): void => member.end('-- the room closes', 'was there till the end')
    closing.addEventListener('abort', close)
    if (closing.aborted) close()
    const reader = socket.reader({ limit: LONGEST })
    let how = 'left'
    try {
      for (let line, due = 0; (line = await reader.line({ signal: member.gone })) !== null;) {
        if (!this.#hear(member, harmless(line).trim())) break
        const now = performance.now()
        due = Math.max(due, now) + PACE
        if (due - now > PACE * STRETCH) await pause(PACE)
      }
    } catch (error) {
      const { code } = error as SocketError
      how = member.gone.aborted ? String(member.gone.reason) : code === 'ERR_OUT_OF_RANGE' ? 'was dropped for a line without an end' : `was lost (${code})`
      if (code === 'ERR_OUT_OF_RANGE') member.tell(`-- a line has ${LONGEST} bytes at most`)
    }
    closing.removeEventListener('abort', close)
    this.#members.delete(key(member.name))
    this.#all(`-- ${member.name} ${how}`)
    await member.told()
    await farewell(socket)
  }

  /** What somebody says or wants; `false` when that is to leave. */
  #hear(member: Member, text: string): boolean {
    const [, command, rest = ''] = /^\/(\S*) *(.*)$/.exec(text) ?? []
    if (command === 'quit') return false
    if (command === 'nick') this.#rename(member, rest.normalize('NFKC'))
    else if (command === 'who') member.tell(`-- here: ${this.#names()}`)
    else if (command === 'me') this.#all(`* ${member.name} ${rest}`)
    else if (command !== undefined) member.tell(`-- there is no /${command}, but /nick name, /who, /me does something, /quit`)
    else if (text !== '') this.#all(`${member.name}: ${text}`)
    return true
  }

  #rename(member: Member, name: string): void {
    if (!/^[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,19}$/u.test(name)) return member.tell('-- a name has 1 to 20 letters, digits or _ . -, these not first')
    const other = this.#members.get(key(name))
    if (other !== undefined && other !== member) return member.tell(`-- somebody is ${other.name} already`)
    const before = member.name
    this.#members.delete(key(before))
    this.#members.set(key(name), member)
    member.name = name
    this.#all(`-- ${before} is ${name} now`)
  }

  #all(line: string, except?: Member): void {
    if (line.startsWith('--')) console.log(line)
    for (const member of this.#members.values()) if (member !== except) member.tell(line)
  }

  #names(): string {
    const names = Array.from(this.#members.values(), ({ name }) => name)
    return names.length > SHOWN ? `${names.slice(0, SHOWN).join(', ')} and ${names.length - SHOWN} others` : names.join(', ')
  }
}

/** Waits a moment for the other end: closing while something is unread is a reset, which would take the last words away with it. */
async function farewell(socket: TcpSocket): Promise<void> {
  try {
    socket.shutdown('write')
    const until = performance.now() + FAREWELL
    for (let rest; (rest = until - performance.now()) > 0 && (await socket.recv(LONGEST, { timeout: rest })).length > 0;);
  } catch {
    // It is gone, or goes on talking: then there is nothing more to be done.
  }
}

/** A name as it is compared. */
function key(name: string): string {
  return name.toLowerCase()
}
