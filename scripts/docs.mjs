// What is generated from the one table of socket options, in crates/core: its TypeScript face, and its page in docs/.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'

await step('generating what comes from the table of options', {
  inputs: ['crates/core', 'Cargo.toml', 'Cargo.lock', 'scripts/docs.mjs'],
  outputs: ['lib/options.generated.ts', 'docs/options.md']
}, async () => {
  const print = (...what) => run('cargo', ['run', '-q', '-p', 'socket2-core', '--example', 'options', '--', ...what])
  const code = await print()
  writeFileSync(join(root, 'lib/options.generated.ts'), code)
  writeFileSync(join(root, 'docs/options.md'), page(code, await print('overview')))
})

/** The doc comments of the options' types as a page, under a table of all options. */
function page(code, overview) {
  const [types, info] = ['OptionTypes', 'TcpInfo'].map(name => code.match(new RegExp(`^export interface ${name} {\n([^]*?)^}$`, 'm'))[1])
  const members = text => text.matchAll(/^ {2}\/\*\*\n([^]*?)\n {3}\*\/\n {2}(readonly )?(\w+): (.*)$/gm)
  const sections = Array.from(members(types), ([, comment, readonly = '', name, type]) => {
    const text = comment.replaceAll(/^ {3}\* ?/gm, '').replaceAll(/^(?=\*\w)/gm, '- ')
    return `## ${name}\n\n\`${readonly}${name}: ${type}\`\n\n${text}\n`
  })
  const fields = Array.from(members(info), ([, comment, , name, type]) =>
    `| \`${name}\` | \`${type.replaceAll('|', '\\|')}\` | ${comment.replaceAll(/\s*\n? {3}\* ?/g, ' ').trim()} |`)
  return `# Socket options

Read by \`socket.getOption(name)\`, set by \`socket.setOption(name, value)\`, or given to \`tcp\`, \`udp\`, \`raw\` and \`seqpacket\`, which set
them before the socket is bound or connected. Reading back gives what the system holds. Times are in milliseconds.
For what the table lacks there are \`socket.getOption(level, name, length)\`, which gives a Buffer, and
\`socket.setOption(level, name, value)\` with a number or a Uint8Array; the numbers are those of the system's C headers.
Generated from the table in \`crates/core/src/options/\` by \`npm run docs\`.

${overview}
A dash says that the system does not have it: \`ERR_UNSUPPORTED_PLATFORM\`.

${sections.join('\n')}
## What \`info\` tells

| field | type | meaning |
| --- | --- | --- |
${fields.join('\n')}
`
}
