// In an unsandboxed renderer: the preload script of one window, part of the page itself in the other.
'use strict'

const { ipcRenderer } = require('electron/renderer')
const socket2 = require('socket2')
const { echo } = require('./echo.cjs')

echo(socket2).then(
  did => {
    // Left waiting, for the page to be left or reloaded while it does.
    const waiting = socket2.udp()
    waiting.bind('127.0.0.1').then(() => waiting.recv()).catch(() => {})
    globalThis.waiting = waiting
    ipcRenderer.send('echoed', { did })
  },
  error => ipcRenderer.send('echoed', { error: String(error) })
)
