// A thread that talks to itself, so that it shows whether others hold it up.
import { setTimeout as delay } from 'node:timers/promises'
import { streams } from '../_system.js'

export interface Conversation {
  /** How often there has been an answer. */
  exchanged: number
  /** Ends it; rejects when it has failed. */
  end(): Promise<void>
}

/** Begins one. */
export async function conversation(): Promise<Conversation> {
  const [one, other] = await streams()
  let talking = true
  const talk = async (): Promise<void> => {
    while (talking) {
      await one.send('are you there?')
      await one.recvExact(4)
      state.exchanged++
      await delay(1)
    }
    one.close()
  }
  const answer = async (): Promise<void> => {
    while ((await other.recv()).length > 0) await other.send('yes.')
    other.close()
  }
  const state = {
    exchanged: 0,
    async end() {
      talking = false
      await both
    }
  }
  const both = Promise.all([talk(), answer()])
  return state
}
