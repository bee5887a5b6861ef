// A line of more bytes than a string can have, twice asked for: it is there the second time. Prints how each call ended, and what is left.
import { constants } from 'node:buffer'
import { streams } from '../_system.js'

const CHUNK = Buffer.alloc(1 << 20, 'x')

const [sender, receiver] = await streams()
const reader = receiver.reader({ limit: Infinity })
const sending = send()
const outcomes: string[] = []
for (let i = 0; i < 2; i++) outcomes.push(await outcome())
// What is in the way is to be had otherwise.
const { length } = (await reader.until('\n'))!
outcomes.push(String(await reader.line()))
console.log(JSON.stringify({ outcomes, whole: length === await sending }))
process.exit()

async function outcome(): Promise<string> {
  let line: Promise<string | null>
  try {
    line = reader.line()
  } catch {
    return 'thrown'
  }
  return await line.then(() => 'a line', (error: NodeJS.ErrnoException) => `${error.code}`)
}

async function send(): Promise<number> {
  let length = 0
  while (length <= constants.MAX_STRING_LENGTH) length += await sender.send(CHUNK)
  await sender.send('\nnext\n')
  return length
}
