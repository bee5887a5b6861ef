// Joins a group, where a line of JSON for each says so, and prints what is heard: first the port, then each text and who sent it.
import { udp, type Family, type GroupOptions } from 'socket2'

const [family, group, ...options] = JSON.parse(process.argv[2]!) as [Family, string, ...GroupOptions[]]
const socket = await udp(family).bind()
for (const each of options) socket.joinGroup(group, each)
console.log(socket.localAddress!.port)
for await (const { data, from } of socket) console.log(JSON.stringify([String(data), from.address]))
