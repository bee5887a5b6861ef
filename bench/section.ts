/** What a part of the bench is, and what it is given. */
import type { Server } from './servers.js'
import type { Comparison } from './table.js'

export interface Section {
  /** What is measured, in half a sentence. */
  about: string
  run(bench: Bench): Promise<void>
}

export interface Bench {
  /** How long one measurement makes traffic. */
  seconds: number
  rounds: number
  /** Whether this is only to see that everything runs: few connections, and nothing is judged. */
  quick: boolean
  /** The TCP echo servers that are there, in the order of the table. */
  echoServers: readonly Server[]
  /** Those of a section's own servers that were asked for. */
  wanted(servers: readonly Server[]): readonly Server[]
  progress(text: string): void
  show(comparison: Comparison): void
}
