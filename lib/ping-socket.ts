/** Requests by a socket: a raw one, or a datagram socket of ICMP. */
import { Address } from './address.js'
import type { Datagram } from './datagram.js'
import type { SocketError } from './errors.js'
import { echoRequest, ICMP, understand, type IcmpFamily } from './icmp.js'
import type { SettableOptionName, SocketOptions } from './options.js'
import { refused, said, type Course, type Request, type Way } from './ping-fate.js'
import { payloadOf, TOKEN_LENGTH } from './ping-payload.js'
import { RawSocket } from './udp.js'

/** The way by a socket of the run's own. */
export class SocketWay implements Way {
  readonly #course: Course
  readonly #ip: Uint8Array
  readonly #family: IcmpFamily
  readonly #socket: RawSocket
  readonly #id: number
  readonly #payload: Buffer

  constructor(course: Course, birth: string) {
    const { target, wanted, signal } = course
    const family = target.family as IcmpFamily
    this.#course = course
    this.#family = family
    this.#ip = Address.wire(target).subarray(4, family === 'inet' ? 8 : 20)
    this.#payload = payloadOf(wanted.size)
    this.#id = crypto.getRandomValues(new Uint16Array(1))[0] as number
    this.#socket = open(family, wanted.ttl, birth)
    this.#socket.hearEchoesOf(this.#id)
    signal.addEventListener('abort', () => this.#socket.close())
  }

  async send(sequence: number): Promise<void> {
    const { target, wanted: { timeout }, signal, requests } = this.#course
    const packet = echoRequest(this.#family, this.#id, sequence & 0xffff, this.#payload)
    for (;;) {
      const request: Request = { sequence, sent: performance.now(), fate: undefined }
      requests.push(request)
      try {
        await this.#socket.send(packet, target, { timeout, signal })
        return
      } catch (error) {
        // What a router has said of an earlier one may be told to this one, which then has not been sent.
        const again = this.#socket.unprivileged && this.#oldest() !== request
        if (again) requests.splice(requests.indexOf(request), 1)
        this.#blame(error)
        if (!again) return
      }
    }
  }

  async hear(time: number): Promise<boolean> {
    const { signal } = this.#course
    try {
      const datagram = await this.#socket.recv(undefined, { timeout: Math.max(time - performance.now(), 0), signal })
      this.#take(datagram, performance.now(), Date.now())
    } catch (error) {
      signal.throwIfAborted()
      if ((error as SocketError).timeout !== undefined) return false
      if (this.#socket.closed || (!this.#blame(error) && !this.#socket.unprivileged)) throw error
    }
    return true
  }

  /** A packet, which may be anybody's, and when it is looked at, by both clocks. */
  #take(datagram: Datagram, now: number, date: number): void {
    const heard = understand(this.#family, datagram.data)
    // The system has put an id of its own into what an unprivileged socket sent.
    if (heard === null || (heard.id !== this.#id && !this.#socket.unprivileged)) return
    const request = this.#course.requests.find(({ sequence, fate }) => fate === undefined && (sequence & 0xffff) === heard.sequence)
    if (request === undefined || datagram.truncated) return
    const { sequence, sent } = request
    const { failure, payload } = heard
    if (failure === undefined) {
      if (!this.#isTarget(Address.wire(datagram.from).subarray(4)) || !payload.equals(this.#payload)) return
      const ms = between(sent, now, datagram.timestamp === undefined ? 0 : date - datagram.timestamp)
      if (datagram.timestamp !== undefined && ms > this.#course.wanted.timeout) return
      request.fate = { address: datagram.from, ms, ttl: heard.ttl ?? datagram.ttl, sequence }
    } else {
      const told = Math.min(TOKEN_LENGTH, payload.length, this.#payload.length)
      if (!this.#isTarget(failure.to) || payload.compare(this.#payload, 0, told, 0, told) !== 0) return
      request.fate = () => said(failure.code, failure.words, this.#course.target, datagram.from)
    }
  }

  #isTarget(ip: Uint8Array): boolean {
    return this.#ip.every((byte, place) => byte === ip[place])
  }

  #oldest(): Request | undefined {
    return this.#course.requests.find(({ fate }) => fate === undefined)
  }

  /** The system tells of an error, but not of which request: of the oldest, most likely. `false` when there is none. */
  #blame(error: unknown): boolean {
    const request = this.#oldest()
    if (request === undefined) return false
    request.fate = () => refused(error as SocketError, this.#course.target)
    return true
  }
}

/**
 * The time from a request to its answer, which has lain here for so long: the system tells by the clock on the wall when it came. What
 * cannot be, since that clock has been set, does not count; but a busy thread may read the two clocks some time apart.
 */
function between(sent: number, now: number, lain: number): number {
  const waited = now - sent
  return lain > 0 && lain < waited + MOMENT ? Math.max(waited - lain, 0) : waited
}

/** How far, in ms, the clocks are read apart at most, when nobody has set one. Chosen by feel. */
const MOMENT = 100

/** A socket for echo requests, which hears as little of others as the system can spare it. */
function open(family: IcmpFamily, ttl: number | undefined, birth: string): RawSocket {
  const { protocol, reply, failures } = ICMP[family]
  const options = ttl === undefined ? {} : { [family === 'inet' ? 'ttl' : 'hopLimit']: ttl }
  const socket = new RawSocket({ type: 'raw', family, protocol, options, birth })
  setIfThere(socket, 'icmpFilter', [reply, ...failures])
  setIfThere(socket, 'timestamp', true)
  setIfThere(socket, family === 'inet' ? 'recvTtl' : 'recvHopLimit', true)
  return socket
}

const NOT_THERE = new Set(['ERR_UNSUPPORTED_PLATFORM', 'EACCES', 'EPERM', 'ENOPROTOOPT', 'EINVAL'])

function setIfThere<Name extends SettableOptionName>(socket: RawSocket, name: Name, value: NonNullable<SocketOptions[Name]>): void {
  try {
    socket.setOption(name, value as never)
  } catch (error) {
    if (NOT_THERE.has((error as SocketError).code)) return
    socket.close()
    throw error
  }
}
