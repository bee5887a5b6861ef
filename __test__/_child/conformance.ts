// What must hold under every runtime, without a test framework: Node, Bun and Deno run this file as it is. Each check
// prints a line, the last line is their sum; the status is 0 when none failed, and the process ends by itself.
import { runChecks } from './conformance/host.js'
import { loopChecks } from './conformance/loop.js'
import { moveChecks } from './conformance/move.js'
import { nameChecks } from './conformance/names.js'
import { optionChecks } from './conformance/options.js'
import { processChecks } from './conformance/process.js'
import { serveChecks } from './conformance/serve.js'
import { streamChecks } from './conformance/streams.js'
import { tcpChecks } from './conformance/tcp.js'
import { udpChecks } from './conformance/udp.js'
import { unixChecks } from './conformance/unix.js'

await runChecks(nameChecks, streamChecks, tcpChecks, optionChecks, udpChecks, unixChecks, loopChecks, moveChecks, serveChecks, processChecks)
