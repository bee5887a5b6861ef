/** Who the servers of the bench are, to those who talk TLS with them: the certificates of the tests. */
import { readFileSync } from 'node:fs'

const read = (name: string): string => readFileSync(new URL(`../../../__test__/_certificates/${name}.pem`, import.meta.url), 'utf8')

export const serverKeys = { cert: read('server'), key: read('server-key') }
export const clientKeys = { ca: read('ca') }
