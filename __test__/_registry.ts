/** A package registry on loopback, as far as installing asks one: what a package has in each version, and the tarballs. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Package } from './_packages.js'

export interface Registry {
  url: string
  /** The names of the packages whose tarballs have been asked for; that nothing else is asked for shows what is installed. */
  fetched: Set<string>
}

/** Serves the packages until the test ends. */
export async function registry(t: ExecutionContext, packages: readonly Package[]): Promise<Registry> {
  const fetched = new Set<string>()
  const server = createServer((request, response) => {
    void (async () => {
      const path = decodeURIComponent(new URL(request.url ?? '/', url).pathname).slice(1)
      const asked = packages.find(({ file, manifest }) => path === manifest.name || path === `${manifest.name}/-/${basename(file)}`)
      if (asked === undefined) return response.writeHead(404).end('{}')
      const tarball = await readFile(asked.file)
      if (path === asked.manifest.name) return response.setHeader('content-type', 'application/json').end(JSON.stringify(packument(asked, tarball)))
      fetched.add(asked.manifest.name)
      return response.setHeader('content-type', 'application/octet-stream').end(tarball)
    })()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url, fetched }

  function packument({ file, manifest }: Package, tarball: Buffer): object {
    const { name, version } = manifest
    const dist = {
      tarball: `${url}${name}/-/${basename(file)}`,
      shasum: createHash('sha1').update(tarball).digest('hex'),
      integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`
    }
    // Some managers take no version that is younger than a few days.
    const time = new Date(2026, 0).toISOString()
    return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } }, time: { created: time, modified: time, [version]: time } }
  }
}
