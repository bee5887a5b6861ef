// Gives up root's rights, and asks for a raw socket.
import { raw } from 'socket2'

process.setgid!(65534)
process.setuid!(65534)
try {
  raw('inet', 'icmp').close()
} catch (error) {
  const { name, code, syscall, message } = error as NodeJS.ErrnoException
  console.log(JSON.stringify({ name, code, syscall, message }))
}
