// node scripts/alpine.mjs <command …>: runs a command of the repository in a container of Alpine, whose C library is musl, on a copy
// of the sources, so that nothing here is changed. It needs Docker.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Failure, root } from './step.mjs'

const image = 'alpine:3.23'
const command = process.argv.slice(2)
if (command.length === 0) throw new Failure('What shall be run in Alpine? For example: node scripts/alpine.mjs npm test')

const script = `
  mkdir /socket2
  cd /socket2
  for path in /source/* /source/.[!.]*; do
    case $path in
      */node_modules | */target | */build | */dist | */.cache | */.git | *.node) ;;
      *) cp -r "$path" . ;;
    esac
  done
  sh scripts/prepare.sh >/dev/null
  exec "$@"`
// With the host's network, since Docker's own has no IPv6 loopback, and with all that root may do, as the tests of raw sockets want it.
const docker = spawn('docker', [
  'run', '--rm', '--privileged', '--network=host', `--volume=${root}:/source:ro`, image, 'sh', '-euc', script, 'sh', ...command
], { stdio: 'inherit' })
const [status] = await once(docker, 'close').catch(error => { throw new Failure(`Docker cannot be run: ${error.message}`) })
process.exitCode = status
