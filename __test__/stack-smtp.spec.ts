/** Mail: a server over `serve` and a client, both by lines of a reader, and curl as another client. */
import test, { type ExecutionContext } from 'ava'
import type { Server } from 'socket2'
import { curl, lacksProgram } from './_servers.js'
import { serving, until, visit } from './_serve.js'
import { LONGEST_COMMAND, MailClient, mailServer, type Answer, type Mail } from './_smtp.js'
import { freshPath, lacks, unless } from './_util.js'

const lacksCurl = lacksProgram('curl')
const withCurl = unless(lacksCurl)
const dotted = '.\r\n..\r\n.hidden\r\n\r\nlast.\r\n'

// Both ends by hand

test('a mail is given line by line, and an answer of several lines is heard as one', async t => {
  const { mails, client } = await talking(t)
  t.deepEqual(await client.hear(), { code: 220, lines: ['here ESMTP'] })
  t.deepEqual(await client.ask('EHLO me'), { code: 250, lines: ['here', 'PIPELINING', '8BITMIME', 'AUTH PLAIN', 'SIZE 50000000'] })
  t.is((await client.ask('MAIL FROM:<me@here>')).code, 250)
  t.is((await client.ask('RCPT TO:<you@there>')).code, 250)
  t.deepEqual(await client.ask('RCPT TO:<nobody@there>'), { code: 550, lines: ['there is no such person', 'here'] })
  t.is((await client.ask('DATA')).code, 354)
  t.is((await client.give('Subject: Grüße\r\n\r\nhello\r\n')).code, 250)
  t.is((await client.ask('QUIT')).code, 221)
  t.is(await client.reader.line(), null)
  t.deepEqual(mails, [{ from: 'me@here', to: ['you@there'], text: 'Subject: Grüße\r\n\r\nhello\r\n', user: undefined }])
})

test('lines that begin with a dot come as they were, and an empty message is one', async t => {
  const { mails, client } = await welcomed(t)
  for (const text of [dotted, '', '\r\n']) {
    t.is((await begin(client)).code, 354)
    t.is((await client.give(text)).code, 250)
  }
  t.deepEqual(mails.map(({ text }) => text), [dotted, '', '\r\n'])
})

test('a dot between lone line feeds ends no message', async t => {
  const { mails, client } = await welcomed(t)
  await begin(client)
  await client.socket.send('one\n.\nMAIL FROM:<someone@else>\r\n.\n\r\n.\r\n')
  t.is((await client.hear()).code, 250)
  t.deepEqual(mails.map(({ text }) => text), ['one\n.\nMAIL FROM:<someone@else>\r\n\n\r\n'])
})

test('commands that are sent together are answered in their order, one by one', async t => {
  const { mails, client } = await welcomed(t)
  await client.socket.send('MAIL FROM:<me@here>\r\nRCPT TO:<a@there>\r\nRCPT TO:<nobody@there>\r\nRCPT TO:<b@there>\r\nDATA\r\n')
  const codes: number[] = []
  for (let i = 0; i < 5; i++) codes.push((await client.hear()).code)
  t.deepEqual(codes, [250, 250, 550, 250, 354])
  // The next commands come right behind the message.
  await client.socket.send('hello\r\n.\r\nNOOP\r\nDATA\r\nQUIT\r\n')
  for (let i = 0; i < 4; i++) codes.push((await client.hear()).code)
  t.deepEqual(codes.slice(5), [250, 250, 503, 221])
  t.deepEqual(mails.map(({ to, text }) => [to, text]), [[['a@there', 'b@there'], 'hello\r\n']])
})

test('1,000 mails that are sent together are all taken', async t => {
  const { mails, client } = await welcomed(t)
  const one = (i: number): string => `MAIL FROM:<me@here>\r\nRCPT TO:<a@there>\r\nDATA\r\nnumber ${i}\r\n.\r\n`
  const sending = client.socket.send(Array.from({ length: 1000 }, (_, i) => one(i)).join(''))
  for (let i = 0; i < 4000; i++) {
    const { code } = await client.hear()
    if (code !== (i % 4 === 2 ? 354 : 250)) t.fail(`answer ${i} is ${code}`)
  }
  await sending
  t.deepEqual([mails.length, mails.at(-1)?.text], [1000, 'number 999\r\n'])
})

test('a command that is too long is refused, and the next one is understood', async t => {
  const { client } = await welcomed(t)
  t.is((await client.ask('x'.repeat(LONGEST_COMMAND))).lines[0], 'what?')
  t.is((await client.ask('x'.repeat(LONGEST_COMMAND + 1))).lines[0], 'the line is too long')
  t.is((await client.ask('x'.repeat(100_000))).lines[0], 'the line is too long')
  t.is((await client.ask('NOOP')).code, 250)
})

test('who leaves in the middle of a message has sent none', async t => {
  const errors: unknown[] = []
  const { mails, client, server } = await welcomed(t, errors)
  await begin(client)
  await client.socket.send('half a mess')
  client.socket.close()
  await until(() => server.connections === 0)
  t.deepEqual([mails, errors.map(String)], [[], ['Error: the client has left in the middle of a message']])
})

// curl

withCurl('curl sends a mail, and its lines that begin with a dot come as they were', async t => {
  const mails: Mail[] = []
  const { address } = await serving(t, {}, mailServer(mails))
  const { code, stderr } = await curl([
    `smtp://${address}/me`, '--mail-from', 'me@here', '--mail-rcpt', 'you@there', '--mail-rcpt', 'b@there', '--upload-file', '-'
  ], `Subject: x\r\n\r\n${dotted}`)
  t.deepEqual([code, stderr], [0, ''])
  t.deepEqual(mails, [{ from: 'me@here', to: ['you@there', 'b@there'], text: `Subject: x\r\n\r\n${dotted}`, user: undefined }])
})

withCurl('curl says who it is, and is refused with a wrong word', async t => {
  const mails: Mail[] = []
  const { address } = await serving(t, {}, mailServer(mails))
  const send = (user: string): ReturnType<typeof curl> => curl([
    `smtp://${address}`, '--user', user, '--mail-from', 'me@here', '--mail-rcpt', 'you@there', '--upload-file', '-'
  ], 'hello\r\n')
  t.is((await send('me:sesame')).code, 0)
  t.is((await send('me:wrong')).code, LOGIN_DENIED)
  t.deepEqual(mails.map(({ user }) => user), ['me'])
})

withCurl('a mail of 5 MB comes whole', async t => {
  const mails: Mail[] = []
  const { address } = await serving(t, {}, mailServer(mails))
  const text = '.0123456789 and so on, up to the end of the line, which comes after seventy letters\r\n'.repeat(60_000)
  const { code, stderr } = await curl([`smtp://${address}`, '--mail-from', 'me@here', '--mail-rcpt', 'you@there', '--upload-file', '-'], text)
  t.deepEqual([code, stderr], [0, ''])
  t.true(mails[0]?.text === text)
})

withCurl('curl is told of a recipient whom the server does not know, and leaves', async t => {
  const mails: Mail[] = []
  const server = await serving(t, {}, mailServer(mails))
  const { code, stderr } = await curl([`smtp://${server.address}`, '--mail-from', 'me@here', '--mail-rcpt', 'nobody@there', '--upload-file', '-'], 'hello\r\n')
  t.is(code, SEND_ERROR)
  t.regex(stderr, /RCPT failed: 550/)
  await until(() => server.connections === 0)
  t.deepEqual(mails, [])
})

unless(lacksCurl || lacks.unix)('curl asks a server at a unix path', async t => {
  const { address } = await serving(t, { path: freshPath(t) }, mailServer([]))
  const { stdout } = await curl(['smtp://localhost/', '--unix-socket', address.path!, '--request', 'NOOP'])
  t.regex(String(stdout), /^250 ok/m)
})

/** What curl ends with. */
const SEND_ERROR = 55
const LOGIN_DENIED = 67

interface Talk {
  mails: Mail[]
  server: Server
  client: MailClient
}

/** A server, and a client that has heard nothing yet. */
async function talking(t: ExecutionContext, errors: unknown[] = []): Promise<Talk> {
  const mails: Mail[] = []
  const server = await serving(t, { onError: error => errors.push(error) }, mailServer(mails))
  return { mails, server, client: new MailClient(await visit(t, server)) }
}

/** As `talking`, after the greetings. */
async function welcomed(t: ExecutionContext, errors?: unknown[]): Promise<Talk> {
  const talk = await talking(t, errors)
  await talk.client.hear()
  await talk.client.ask('EHLO me')
  return talk
}

/** Goes as far as the text. */
async function begin(client: MailClient): Promise<Answer> {
  await client.ask('MAIL FROM:<me@here>')
  await client.ask('RCPT TO:<you@there>')
  return await client.ask('DATA')
}

