// Joins a group in each of the ways given, and prints what is heard until its input ends: first the port, then each text and who sent it.
import { udp, type Family, type GroupOptions } from 'socket2'

const [family, group, ...options] = JSON.parse(process.argv[2]!) as [Family, string, ...GroupOptions[]]
const socket = await udp(family).bind()
for (const each of options) socket.joinGroup(group, each)
process.stdin.resume().on('end', () => socket.close())
console.log(socket.localAddress!.port)
for await (const { data, from } of socket) console.log(JSON.stringify([String(data), from.address]))
