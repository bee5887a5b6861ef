// What the examples have in common as commands of a terminal: arguments, errors in words, numbers, colours, and a quiet end.
import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { SocketError } from 'socket2'

type Options = NonNullable<ParseArgsConfig['options']>
type Given<T extends Options> = ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>

/** The arguments are wrong. */
export class Misuse extends Error {}

/**
 * Runs a command, whose usage says its name first. Its status is what `main` resolves to, 0 by default; 2 when the arguments are wrong,
 * 1 when something else is, and either is told in one line.
 */
export async function command<const T extends Options>(usage: string, options: T, main: (given: Given<T>) => Promise<number | void>): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help')) return console.log(usage)
  process.stdout.once('error', () => process.exit()) // whoever reads has gone, as in: … | head -1
  try {
    process.exitCode = (await main(parsed(args, options))) ?? 0
  } catch (error) {
    const misused = error instanceof Misuse
    process.exitCode = misused ? 2 : 1
    if ((error as Error).name === 'AbortError') return // by Ctrl+C, which needs no words
    console.error(`${usage.split(' ', 2)[1]}: ${why(error)}${misused ? ' (--help tells more)' : ''}`)
  }
}

function parsed<T extends Options>(args: string[], options: T): Given<T> {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new Misuse((error as Error).message.split('. ', 1)[0])
  }
}

/** What an option says: a number in its range, and a whole one unless it may be less than 1. */
export function number(flag: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (value >= least && value <= most && (least % 1 !== 0 || Number.isInteger(value))) return value
  throw new Misuse(`${flag} takes a ${least % 1 === 0 ? 'whole ' : ''}number from ${least} to ${most}, not '${text}'`)
}

/** The longest time that may be given, in seconds: a day. */
const LONG = 86_400

/** What an option says in seconds, in milliseconds. */
export function seconds(flag: string, text: string): number {
  return number(flag, text, 0.001, LONG) * 1000
}

/** What helps against an error of the system. */
const HELP: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there: is it running, and is this its port?',
  EADDRINUSE: 'somebody listens there already: end that, or choose another port; 0 takes any',
  EADDRNOTAVAIL: 'this machine has no such address, or no port left',
  EACCES: 'this user may not: ports below 1024 are often for root, and a path needs the right to write to it',
  ENOTFOUND: 'no such name: check how it is written',
  EAI_AGAIN: 'the name server does not answer: is there a network?',
  EHOSTUNREACH: 'no way leads there, or nobody is there',
  ENETUNREACH: 'no way leads there from this machine',
  EMFILE: 'this process may open no more: raise ulimit -n',
  ENOENT: 'there is no such path'
}

/** What went wrong and what helps, in one line. */
export function why(error: unknown): string {
  const { code = '', message } = error as Partial<SocketError> & Error
  return code in HELP ? `${message} (${HELP[code]})` : message
}

/** Aborts at Ctrl-C, or when the process is asked to end. Asked again, it ends at once. */
export function ending(): AbortSignal {
  const asked = new AbortController()
  const end = (): void => {
    process.off('SIGINT', end).off('SIGTERM', end)
    asked.abort()
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  return asked.signal
}

const colourful = process.stdout.isTTY && !process.env['NO_COLOR']
const paint = (code: number) => (text: string) => colourful ? `\x1b[${code}m${text}\x1b[0m` : text
export const [bold, dim, red, green] = [paint(1), paint(2), paint(31), paint(32)] as const

/** Text of a stranger's, which could otherwise do anything to the terminal. */
export function harmless(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, '')
}

export function size(bytes: number): string {
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 4)
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** unit).toFixed(1)} ${['', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`
}

export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round(ms % 60_000 / 1000)} s`
}
