// What the scripts read of a binding, before it is released for a system that they do not run on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

const { describe } = await import(new URL('../../scripts/binary.mjs', import.meta.url).href) as {
  describe: (path: string) => Promise<{ format: string; machine: string; libraries: string[] }>
}

test('of a Windows library the libraries that it imports are told, each once and in lower case', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'socket2-binary-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const file = join(folder, 'library.dll')
  for (const names of [['KERNEL32.dll', 'VCRUNTIME140.dll', 'kernel32.dll'], []]) {
    await writeFile(file, windowsLibrary(0xaa64, names))
    const { format, machine, libraries } = await describe(file)
    t.deepEqual([format, machine, libraries], ['PE', 'arm64', names.slice(0, 2).map(name => name.toLowerCase())])
  }
})

/** A library with two sections, of which the second holds its imports and is loaded elsewhere than it lies in the file. */
function windowsLibrary(machine: number, names: readonly string[]): Buffer {
  const [header, optional, sections, inFile, loaded] = [0x80, 0x98, 0x188, 0x400, 0x5000]
  const bytes = Buffer.alloc(0x800)
  bytes.write('MZ', 'latin1')
  bytes.writeUInt32LE(header, 0x3c)
  bytes.write('PE', header, 'latin1')
  for (const [value, field] of [[machine, 4], [2, 6], [sections - optional, 20]] as const) bytes.writeUInt16LE(value, header + field)
  if (names.length > 0) bytes.writeUInt32LE(loaded, optional + 120)
  for (const [i, section] of [[0x200, 0x1000, 0x200, 0x200], [0x400, loaded, 0x400, inFile]].entries()) {
    for (const [field, value] of section.entries()) bytes.writeUInt32LE(value, sections + 40 * i + 8 + 4 * field)
  }
  let end = 20 * (names.length + 1)
  for (const [i, name] of names.entries()) {
    bytes.writeUInt32LE(loaded + end, inFile + 20 * i + 12)
    end += bytes.write(name, inFile + end, 'latin1') + 1
  }
  return bytes
}
