/** What a process can listen to with `node:diagnostics_channel`. Free while nobody does. */
import { channel, type Channel } from 'node:diagnostics_channel'

/**
 * `socket2:connect` and `socket2:accept` publish `{ socket }`, `socket2:close` `{ socket }`, and `socket2:error`
 * `{ socket, error }` for an error that no operation can report.
 */
export const channels = {
  connect: channel('socket2:connect'),
  accept: channel('socket2:accept'),
  close: channel('socket2:close'),
  error: channel('socket2:error')
}

/** Publishes, if anyone listens; from a microtask, so that no subscriber runs in the middle of an operation. */
export function publish(to: Channel, message: () => object): void {
  if (to.hasSubscribers) queueMicrotask(() => to.publish(message()))
}
