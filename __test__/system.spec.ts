// What the other tests are left out for. A fault of the library's that looks like something missing would leave them all out.
import test from 'ava'
import { isMusl, lacks, lacksRawNames, wine } from './_system.js'

const elsewhere = ['exclusiveAddressUse']
const bsd = [...elsewhere, 'linux', 'abstractNames', 'rawNames']

/** By the names that Node has for the systems. */
const expected: Record<string, readonly string[]> = {
  linux: isMusl() ? [...elsewhere, 'rawNames'] : elsewhere,
  darwin: [...bsd, 'seqpacket'],
  freebsd: bsd,
  win32: ['linux', 'posix', 'handles', 'unixDatagrams', 'pairs', 'seqpacket', 'abstractNames', 'credentials', 'reusePort', ...wine > 0 ? ['unix'] : []]
}

test('this system lacks what is known of it, and nothing else', async t => {
  const missing = Object.entries({ ...lacks, rawNames: await lacksRawNames() }).filter(([, reason]) => reason).map(([name]) => name)
  t.deepEqual(missing.toSorted(), expected[process.platform]?.toSorted())
})
