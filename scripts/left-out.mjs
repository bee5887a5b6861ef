// What the suite leaves out where another system is stood in for, each with its reason. Titles are as ava's --match takes them.

/**
 * What the run on a target leaves out, whole files as `specs` and single tests as `tests`. `only` are the files that are run
 * where both the C library and the processor are another: on each of the two all of them run.
 */
export function leftOut({ libc, cpu }) {
  const emulated = cpu !== process.arch
  const only = libc === 'musl' && emulated ? both : undefined
  return {
    only,
    specs: only ? [] : [...everywhere, ...emulated ? slow : []],
    tests: emulated ? qemu.filter(({ spec }) => only?.includes(spec) ?? true) : []
  }
}

/** Those of the entries whose test is not to be found in what ava wrote of the whole suite: it has another name by now, or is gone. */
export function stale(entries, output) {
  return entries.filter(({ spec, test = '*' }) => {
    const title = test.split('*').map(part => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)).join('.*')
    return !new RegExp(String.raw`^ +(?:[✔√]|- \[skip\]) ${spec} › ${title}(?: \(.+\))?$`, 'm').test(output)
  })
}

const both = ['conformance', 'errors', 'lookup', 'options', 'system', 'tcp', 'udp', 'unix', 'workers']

const everywhere = [
  { spec: 'load', why: 'it measures times, and those are of this machine' },
  { spec: 'package', why: 'packages are packed alike everywhere' },
  { spec: 'install', why: 'packages are installed alike everywhere, and there is no npm in so small a root' }
]

const slow = [
  { spec: 'load-errors', why: 'it starts dozens of processes at once, and is about files rather than processors' }
]

/** What qemu does not pass on to the kernel, which itself has it all; and what it takes too long for. */
const qemu = [
  ...[
    ['examples', '* explains itself, and says in one line what is wrong with its arguments'],
    ['example-dig', 'dig shows what is answered of *'],
    ['example-dig', 'dig takes for no answer one with *'],
    ['example-transfer', 'no file comes of a server that sends *']
  ].map(([spec, test]) => ({ spec, test, why: 'each takes a process, which takes qemu seconds, and text is understood alike everywhere' })),
  {
    spec: 'groups', test: 'an inet* group is joined once, and left once',
    why: 'qemu refuses MCAST_LEAVE_SOURCE_GROUP'
  },
  {
    spec: 'groups', test: 'a group with a source is heard from that source only, on an interface given by its *',
    why: 'qemu refuses MCAST_JOIN_SOURCE_GROUP'
  },
  {
    spec: 'groups', test: 'several sockets hear one group, and each only those that it has joined',
    why: 'qemu refuses IP_MULTICAST_ALL'
  },
  ...[
    ['bindToDevice', 'SO_BINDTODEVICE, but to set it'], ['mark', 'SO_MARK'], ['busyPoll', 'SO_BUSY_POLL'],
    ['multicastInterface', 'IP_MULTICAST_IF, but to set it'], ['multicastInterface6', 'IPV6_MULTICAST_IF'],
    ['transparent', 'IP_TRANSPARENT'], ['recvTtl', 'IP_RECVTTL, but to set it'], ['icmpFilter', 'ICMP_FILTER and ICMP6_FILTER']
  ].map(([name, refused]) => ({ spec: 'options', test: `${name} of * is read, set to *, and read back`, why: `qemu refuses ${refused}` })),
  {
    spec: 'options', test: 'interfaces that do not exist are EADDRNOTAVAIL, and change nothing',
    why: 'qemu refuses IPV6_MULTICAST_IF'
  },
  {
    spec: 'options', test: 'a filter lets only its types of ICMP through',
    why: 'qemu refuses ICMP_FILTER'
  },
  {
    spec: 'options', test: 'values of other kinds that do not fit throw, and nothing is changed',
    why: 'qemu refuses SO_MARK'
  },
  {
    spec: 'options', test: 'info tells the state of an * connection, its round trips, and what went over it',
    why: 'qemu takes TCP_INFO for one number'
  },
  {
    spec: 'shared-poller', test: 'threads that share a poller are terminated at any moment, four of them 200 times, and nothing is left and nobody harmed',
    why: 'it starts 800 threads, and each takes qemu a second'
  },
  {
    spec: 'udp', test: 'a send that waits for a full unix receiver leaves the processor alone',
    why: 'it measures processor time, and qemu itself takes some'
  }
]

/** What runs under neither Wine. */
const noWine = [
  { spec: 'conformance', why: 'what it checks the other files check, too' },
  { spec: 'package', why: 'packages are packed alike everywhere, and there is no npm for Windows here' },
  { spec: 'install', why: 'packages are installed alike everywhere, and there is no npm for Windows here' }
]

/** What runs under one Wine only: it has nothing to do with where that Wine is unlike the other. */
const oneWine = [
  { spec: 'binary', why: 'it is about a script' },
  { spec: 'load', why: 'its times are of the machine, and that many come and go serve and move check, too' },
  { spec: 'load-errors', why: 'what is wrong with a file is wrong under both' },
  { spec: 'environments', why: 'it is about how often a library is loaded, and not about what it does' },
  ...['connect-race', 'connect-random'].map(spec => ({ spec, why: 'what the system does with a connect, connect checks, too' })),
  ...['duplex', 'duplex-process', 'duplex-users', 'web'].map(spec => ({ spec, why: 'it stands on what tcp and close check, too' })),
  ...['chat', 'dig', 'https', 'proxy', 'scan', 'transfer'].map(name => ({ spec: `example-${name}`, why: 'the examples stand on what others check, too' })),
  { spec: 'examples', why: 'what they say is the same text everywhere' },
  { spec: 'duplex-scenes', why: 'Wine 8 cannot play those of a reset, which is what could differ' },
  ...['http', 'http-agent', 'http-clients', 'http-close'].map(spec => ({ spec, why: 'it is about node:http' })),
  { spec: 'proxy-protocol', why: 'it is about bytes that have come, not about how' },
  { spec: 'serve-threads', why: 'it stands on what serve, move and workers check, too' },
  { spec: 'scripts', why: 'it is about the commands of the repository' },
  { spec: 'tls', why: 'it is about node:tls' }
]

/** What a Wine leaves out, whole files all of them. `other` is the version of the one that runs them, where there is one. */
export function leftOutByWine(other) {
  return [...noWine, ...other ? oneWine.map(({ spec, why }) => ({ spec, why: `Wine ${other} runs it, and ${why}` })) : []]
}

/** Whatever any target leaves out. */
export const leftOutSomewhere = [...everywhere, ...slow, ...qemu, ...noWine, ...oneWine]
