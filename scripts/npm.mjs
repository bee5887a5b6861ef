// How a program is run by its name. Only npm takes more than that, and only on Windows: there it is a batch file, which Node starts only
// through a shell, and that cuts arguments at their blanks. So the script is run that npm consists of; it comes with Node.
import { dirname, join } from 'node:path'

/** The program and the arguments to start for `command`. */
export function startOf(command, args, { platform, execPath } = process) {
  if (command !== 'npm' || platform !== 'win32') return [command, args]
  return [execPath, [join(dirname(execPath), 'node_modules/npm/bin/npm-cli.js'), ...args]]
}
