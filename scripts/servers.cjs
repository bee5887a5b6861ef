// The servers and programs of others that tests talk to, and where they are: on the machine, or unpacked by set-up.mjs from Debian's packages.
// Tests require this file, since the files of tests that share a process under Wine may not wait for one.
'use strict'
const { accessSync, constants, existsSync, readdirSync } = require('node:fs')
const { delimiter, join } = require('node:path')

/** Where they are unpacked. */
const folder = join(__dirname, '../.cache/servers')

/** What each consists of, and the packages it comes from. */
const programs = {
  postgres: { files: ['postgres', 'initdb'], packages: ['postgresql'] },
  redis: { files: ['redis-server'], packages: ['redis-server'] },
  nginx: { files: ['nginx', 'ngx_stream_module.so'], packages: ['nginx', 'libnginx-mod-stream'] },
  curl: { files: ['curl'], packages: ['curl'] },
  openssl: { files: ['openssl'], packages: ['openssl'] }
}

/** The files of one on this machine, or where they are unpacked, and the environment to run them in; null where some are missing. */
function find(name) {
  return findIn([...placesOf('/'), ...placesOf(folder)], name)
}

/** Whether the machine has one by itself. */
function isInstalled(name) {
  return findIn(placesOf('/'), name) !== null
}

function findIn(places, name) {
  const files = programs[name].files.map(file => places.map(place => join(place, file)).find(isThere))
  if (files.includes(undefined)) return null
  const unpacked = files.some(file => file.startsWith(folder))
  return { files, unpacked, env: unpacked ? { LD_LIBRARY_PATH: libraries().join(delimiter) } : {} }
}

/** Where programs lie: first those that come before others in the PATH. */
function placesOf(base) {
  const path = base === '/' ? (process.env['PATH'] ?? '').split(delimiter).filter(Boolean) : []
  const versions = entries(join(base, 'usr/lib/postgresql')).toSorted((a, b) => Number(b) - Number(a))
  return [
    ...versions.map(version => join(base, 'usr/lib/postgresql', version, 'bin')),
    ...path,
    ...['usr/bin', 'usr/sbin', 'usr/lib/nginx/modules'].map(place => join(base, place))
  ]
}

function libraries() {
  return ['usr/lib', 'lib'].flatMap(place => entries(join(folder, place)).filter(name => name.includes('-linux-')).map(name => join(folder, place, name)))
}

function entries(path) {
  return existsSync(path) ? readdirSync(path) : []
}

function isThere(path) {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

module.exports = { find, folder, isInstalled, programs }
