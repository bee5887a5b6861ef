// What the suite leaves out where another Linux is stood in for, each with its reason. Titles are as ava's --match takes them.

/** What a target's run leaves out: `specs` are whole files, `tests` are titles. */
export function leftOut({ libc, cpu }) {
  const emulated = cpu !== process.arch
  return {
    specs: [...everywhere, ...emulated ? slow : []],
    tests: [...busybox, ...libc === 'musl' ? musl : [], ...emulated ? qemu : []]
  }
}

/** The only files to run where both the C library and the processor are another, since each of the two has all of them by itself. */
export const both = ['errors', 'lookup', 'options', 'smoke', 'tcp', 'udp', 'unix', 'workers']

const everywhere = [
  { name: 'load', why: 'it measures times, and those are of this machine' },
  { name: 'package', why: 'packages are packed alike everywhere' },
  { name: 'install', why: 'packages are installed alike everywhere, and there is no npm in so small a root' }
]

const slow = [
  { name: 'load-errors', why: 'it starts dozens of processes at once, and is about files rather than processors' }
]

const busybox = [
  { name: 'a child process gets none of our descriptors', why: "busybox's ls closes /proc/self/fd before it reads where its links lead" }
]

const musl = [
  { name: 'an addon made for another processor is named as such', why: 'musl loads it, since it does not look at that field' },
  { name: 'without a type a name is found once for each type', why: 'musl finds names for tcp and udp only, not for raw' }
]

/** What qemu does not pass on to the kernel; the kernel itself has it all. */
const qemu = [
  { name: 'an inet* group is joined once, and left once', why: 'qemu refuses MCAST_LEAVE_SOURCE_GROUP' },
  { name: 'a group with a source is heard from that source only, on an interface given by its *', why: 'qemu refuses MCAST_JOIN_SOURCE_GROUP' },
  { name: 'several sockets hear one group, and each only those that it has joined', why: 'qemu refuses IP_MULTICAST_ALL' }
]
