/** Sequenced packets over unix sockets: connections that keep message boundaries. Linux. */
import type { Address } from './address.js'
import { ConnectionSocket } from './connection.js'
import { rangeError } from './errors.js'
import { birthHere } from './leak.js'
import type { Handle } from './native.js'
import { promised, type OperationOptions } from './operation.js'
import type { SocketOptions } from './options.js'
import { Receive, ReceiveNew, SCRATCH_LENGTH } from './receive.js'
import { bytesOf, Send, type Data } from './send.js'
import { checkLength, checkStreamSpace } from './validate.js'

/**
 * Makes a unix seqpacket socket.
 *
 * *Platforms*: Linux; elsewhere `ERR_UNSUPPORTED_PLATFORM`. Errors, thrown: `EMFILE`. See unix(7).
 */
export function seqpacket(options?: SocketOptions): SeqpacketSocket {
  return new SeqpacketSocket({ type: 'seqpacket', family: 'unix', protocol: undefined, options, birth: birthHere(seqpacket) })
}

/** A unix seqpacket socket: a listener, or one end of a connection. */
export class SeqpacketSocket extends ConnectionSocket {
  declare readonly type: 'seqpacket'

  /**
   * Sends one message, whole. Resolves to its length. An empty one would look like the end, so it is a RangeError.
   *
   * Errors: `EPIPE`, `ECONNRESET`, `EMSGSIZE`, `ETIMEDOUT`, `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE`, `ERR_OUT_OF_RANGE`.
   */
  send(data: Data, op?: OperationOptions): Promise<number> {
    return promised(() => {
      const bytes = bytesOf(data)
      if (bytes.length === 0) throw rangeError('data.length', 'at least 1: an empty message would look like the end', 0)
      this.assertState('send', 'connected')
      return this.link.writing.submit(new Send(this.link, bytes, 0), op, this)
    })
  }

  /**
   * Receives one message: into memory of yours, resolving to its length (0 at the end), or as a new Buffer of at most
   * `maxLength` bytes (65,536 by default). What does not fit is lost, as the system has it.
   *
   * Errors: as `TcpSocket.recv`.
   */
  recv(into: Uint8Array, op?: OperationOptions): Promise<number>
  recv(maxLength?: number, op?: OperationOptions): Promise<Buffer>
  recv(into: Uint8Array | number = SCRATCH_LENGTH, op?: OperationOptions): Promise<number | Buffer> {
    return promised<number | Buffer>(() => {
      const { link } = this
      if (typeof into === 'number') checkLength('maxLength', into, 1)
      else checkStreamSpace(into)
      this.assertState('recv', 'connected')
      if (typeof into === 'number') return link.reading.submit(new ReceiveNew(link, into), op, this)
      return link.reading.submit(Receive.of(link, into), op, this)
    })
  }

  /** The messages, until the peer ends the connection. Leaving the loop does not close the socket. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const message = await this.recv()
      if (message.length === 0) return
      yield message
    }
  }

  /** @internal */
  protected adopt(handle: Handle, peer: Address | null): this {
    const socket = new SeqpacketSocket({ type: this.type, family: this.family, protocol: this.protocol, handle, birth: 'by accept()' })
    socket.peer = peer
    return socket as this
  }
}
