/** What every server of the bench says and heeds: its port on one line, and the end of stdin as its own. */
import process from 'node:process'

export function announce(port: number): void {
  console.log(JSON.stringify({ port }))
  process.stdin.once('end', () => process.exit(0)).resume()
}
