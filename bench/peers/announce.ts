/** What every server of the bench says and heeds: its port on one line (or ports), and the end of stdin as its own. */
import process from 'node:process'

export function announce(port: number, ...others: readonly number[]): void {
  console.log(JSON.stringify({ port, others }))
  process.stdin.once('end', () => process.exit(0)).resume()
}
