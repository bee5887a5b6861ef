/** A small mail server and a client of it, by hand: RFC 5321, with pipelining (RFC 2920) and AUTH PLAIN (RFC 4954). */
import type { Handler, Reader, TcpSocket } from 'socket2'

/** A message as the server has taken it. */
export interface Mail {
  from: string
  to: string[]
  text: string
  user?: string | undefined
}

/** The longest line of a command, in bytes. See RFC 5321, 4.5.3.1.4. */
export const LONGEST_COMMAND = 510

/** What a mail server does with a connection: it takes mail for everybody but `nobody@…`, until the client leaves. */
export function mailServer(mails: Mail[]): Handler {
  return async socket => {
    const reader = socket.reader({ limit: LONGEST_COMMAND })
    const say = (...lines: string[]): Promise<number> => socket.send(lines.map(line => `${line}\r\n`).join(''))
    let mail: Mail | undefined
    let user: string | undefined
    await say('220 here ESMTP')
    for (;;) {
      const command = await commandOf(reader)
      if (command === null) return
      const [verb = ''] = command.split(' ', 1)
      const address = /<(.*)>/.exec(command)?.[1] ?? ''
      switch (verb.toUpperCase()) {
        case 'HELO': await say('250 here'); break
        case 'EHLO': await say('250-here', '250-PIPELINING', '250-8BITMIME', '250-AUTH PLAIN', '250 SIZE 50000000'); break
        case 'AUTH': {
          const first = command.split(' ')[2]
          if (first === undefined) await say('334 ')
          const [, name, secret] = String(Buffer.from(first ?? await commandOf(reader) ?? '', 'base64')).split('\0')
          if (secret === 'sesame') user = name
          await say(secret === 'sesame' ? '235 welcome' : '535 that is not the word')
          break
        }
        case 'MAIL':
          mail = { from: address, to: [], text: '', user }
          await say('250 ok')
          break
        case 'RCPT':
          if (address.startsWith('nobody@')) await say('550-there is no such person', '550 here')
          else {
            mail?.to.push(address)
            await say(mail ? '250 ok' : '503 from whom?')
          }
          break
        case 'DATA':
          if (mail === undefined || mail.to.length === 0) {
            await say('503 to whom?')
            break
          }
          await say('354 go on')
          mail.text = await textOf(reader)
          mails.push(mail)
          mail = undefined
          await say('250 taken')
          break
        case 'RSET':
          mail = undefined
          await say('250 ok')
          break
        case 'NOOP': await say('250 ok'); break
        case 'QUIT': await say('221 bye'); return
        case '': await say('500 the line is too long'); break
        default: await say('500 what?')
      }
    }
  }
}

/** The next command; '' for one that is too long, of which nothing is left; null when the client is gone. */
async function commandOf(reader: Reader): Promise<string | null> {
  try {
    return await reader.line()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_OUT_OF_RANGE') throw error
    await reader.until('\r\n', { limit: Infinity })
    return ''
  }
}

/**
 * The text up to the line that is a dot, without the dots that were put before others. Only CRLF ends a line: a lone LF is
 * part of the text, or a message could end where its sender did not mean it to.
 */
async function textOf(reader: Reader): Promise<string> {
  const lines: string[] = []
  for (;;) {
    const line = await reader.until('\r\n', { limit: 1 << 20 })
    if (line === null) throw new Error('the client has left in the middle of a message')
    const text = String(line)
    if (text === '.') return lines.join('')
    lines.push(`${text.startsWith('.') ? text.slice(1) : text}\r\n`)
  }
}

/** What a server answers: a number, and the text of each line. */
export interface Answer {
  code: number
  lines: string[]
}

/** A client of a mail server. */
export class MailClient {
  readonly reader: Reader

  constructor(readonly socket: TcpSocket) {
    this.reader = socket.reader()
  }

  /** The server's next answer: all its lines but the last have a hyphen after the number. */
  async hear(): Promise<Answer> {
    const lines: string[] = []
    for await (const line of this.reader.lines()) {
      lines.push(line.slice(4))
      if (line[3] !== '-') return { code: Number(line.slice(0, 3)), lines }
    }
    throw new Error('the server has ended the connection')
  }

  /** Sends a command, and hears what the server answers. */
  async ask(command: string): Promise<Answer> {
    await this.socket.send(`${command}\r\n`)
    return await this.hear()
  }

  /** Sends a text whose lines end by CRLF, after DATA was allowed. */
  async give(text: string): Promise<Answer> {
    await this.socket.send(`${text.replaceAll(/^\./gm, '..')}.\r\n`)
    return await this.hear()
  }
}
