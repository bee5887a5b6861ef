/** The certificates of the tests, which scripts/certificates.sh has made. They last until 2120. */
import { readFileSync } from 'node:fs'

/** What identifies one end of a connection, as `node:tls` takes it. */
export interface Identity {
  cert: string
  key: string
}

/** The authority that has signed all but the self-signed one. */
export const ca = read('ca')

/**
 * `server`: localhost, 127.0.0.1 and ::1; `other`: other.test; `client`: for a client; `expired` and `self-signed`: as `server`, but not to
 * be trusted.
 */
export function identity(name: 'server' | 'other' | 'client' | 'expired' | 'self-signed'): Identity {
  return { cert: read(name), key: read(`${name}-key`) }
}

function read(name: string): string {
  return readFileSync(new URL(`../../__test__/_certificates/${name}.pem`, import.meta.url), 'utf8')
}
