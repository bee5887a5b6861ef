// ava's settings under Wine: those of package.json, and one file more.
import { readFileSync } from 'node:fs'

const { ava } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

export default { ...ava, files: [...ava.files, 'build/__test__/together.js'] }
