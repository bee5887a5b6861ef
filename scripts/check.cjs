// The first step of every command: is what it needs on this machine? Written in the JavaScript of old, so that an old Node
// can still say that it is too old.
'use strict'
var fs = require('fs')
var path = require('path')
var spawnSync = require('child_process').spawnSync

var root = path.join(__dirname, '..')
var command = process.argv[2]
var missing = []

var wanted = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node.replace('>=', '')
if (older(process.versions.node, wanted)) {
  missing.push('Node ' + wanted + ' or newer: this is Node ' + process.versions.node + '. Get it from https://nodejs.org')
}

// A binding that is built already is enough to look around; the tests compile Rust in any case.
if (command === 'test' || command === 'ready' || !isBuilt()) {
  var wantedRust = /^rust-version = "(.*)"/m.exec(fs.readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))[1]
  var cargo = spawnSync('cargo', ['--version'], { cwd: root, encoding: 'utf8' })
  var rust = /^cargo ([\d.]+)/.exec(cargo.stdout || '')
  if (!rust) {
    missing.push('a Rust toolchain (cargo ' + wantedRust + ' or newer) on the PATH: the native part is built from source. ' +
      'Get it from https://rustup.rs')
  } else if (older(rust[1], wantedRust)) {
    missing.push('Rust ' + wantedRust + ' or newer: this is ' + rust[1] + '. Get it by "rustup update", or from https://rustup.rs')
  }
}

if (missing.length > 0) {
  console.error('socket2 cannot be built here yet. What is missing:\n')
  missing.forEach(function (line) { console.error('  - ' + line) })
  console.error('\nThen run the same command again; all else it does by itself.')
  process.exit(1)
}

function isBuilt() {
  return fs.readdirSync(root).some(function (name) { return /\.node$/.test(name) })
}

function older(version, than) {
  var a = version.split('.').map(Number)
  var b = than.split('.').map(Number)
  return a[0] < b[0] || (a[0] === b[0] && (a[1] || 0) < (b[1] || 0))
}
