// What is generated from the one table of socket options, in crates/core: its TypeScript face, and its page in docs/.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, step } from './step.mjs'

await step('generating what comes from the table of options', {
  inputs: ['crates/core', 'Cargo.toml', 'Cargo.lock', 'scripts/docs.mjs'],
  outputs: ['lib/options.generated.ts', 'docs/options.md']
}, async () => {
  const code = await run('cargo', ['run', '-q', '-p', 'socket2-core', '--example', 'options'])
  writeFileSync(join(root, 'lib/options.generated.ts'), code)
  writeFileSync(join(root, 'docs/options.md'), page(code))
})

/** The doc comments of the options' types as a page. */
function page(code) {
  const options = code.matchAll(/^ {2}\/\*\*\n([^]*?)\n {3}\*\/\n {2}(readonly )?(\w+): (.*)$/gm)
  const sections = Array.from(options, ([, comment, readonly = '', name, type]) => {
    const text = comment.replaceAll(/^ {3}\* ?/gm, '').replaceAll(/^(?=\*\w)/gm, '- ')
    return `## ${name}\n\n\`${readonly}${name}: ${type}\`\n\n${text}\n`
  })
  return `# Socket options

Read by \`socket.getOption(name)\`, set by \`socket.setOption(name, value)\`, or given to \`tcp\`, \`udp\`, \`raw\` and \`seqpacket\`, which set
them before the socket is bound or connected. Reading back gives what the system holds. Times are in milliseconds.
Generated from the table in \`crates/core/src/options.rs\` by \`npm run docs\`.

${sections.join('\n')}`
}
