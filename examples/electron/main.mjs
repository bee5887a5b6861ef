// The main process. Every place where Electron runs Node makes an echo over socket2 and reports it; then the app ends by
// itself, with status 0 when all of them were right, so that CI can run it as it is.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { app, BrowserWindow, ipcMain, utilityProcess } from 'electron/main'
import * as socket2 from 'socket2'
import { echo } from './echo.cjs'

const LONGEST = 60_000

app.disableHardwareAcceleration() // there may be no graphics card
app.on('window-all-closed', () => {}) // the end is ours to decide

const places = {
  'main process': async () => await echo(socket2),
  'worker thread': async () => await answer(new Worker(new URL('background.mjs', import.meta.url))),
  'utility process': async () => await answer(utilityProcess.fork(path('background.mjs'))),
  // The page stays an ordinary one, isolated from Node; only the preload script has the library. Of the renderers' settings the one to choose.
  'preload script': async () => await inWindow({ preload: path('renderer.cjs'), contextIsolation: true, nodeIntegration: false, sandbox: false }),
  // The page itself has Node; for pages that are part of the app, never for what comes from elsewhere.
  'page': async () => await inWindow({ contextIsolation: false, nodeIntegration: true, sandbox: false }),
  'page, reloaded': async () => await inWindow({ contextIsolation: false, nodeIntegration: true, sandbox: false }, 3)
}

// Not awaited: Electron becomes ready only after this module has been loaded.
app.whenReady().then(runAll)

async function runAll() {
  let failed = 0
  console.log(`Electron ${process.versions.electron}, Node ${process.versions.node}, ${process.platform} ${process.arch}`)
  for (const [place, run] of Object.entries(places)) {
    try {
      console.log(`ok ${place}: ${await withinTime(run())}`)
    } catch (error) {
      failed++
      console.log(`failed ${place}: ${error.stack ?? error}`)
    }
  }
  console.log(failed === 0 ? 'all ok' : `${failed} of ${Object.keys(places).length} failed`)
  app.exit(failed === 0 ? 0 : 1)
}

/** What a worker thread or a utility process answers; both speak the same way. */
async function answer(background) {
  const [message] = await Promise.race([
    once(background, 'message'),
    once(background, 'exit').then(([code]) => { throw new Error(`it ended with ${code} before it answered`) })
  ])
  return said(message)
}

/** What a window answers, after it has been loaded anew so many times in the middle of its sockets' life. */
async function inWindow(webPreferences, reloads = 0) {
  const window = new BrowserWindow({ show: false, webPreferences })
  const gone = once(window.webContents, 'render-process-gone').then(([, { reason }]) => { throw new Error(`its process is gone: ${reason}`) })
  gone.catch(() => {})
  try {
    let answered = once(ipcMain, 'echoed')
    await window.loadFile(path('index.html'))
    let [, message] = await Promise.race([answered, gone])
    for (let i = 0; i < reloads; i++) {
      answered = once(ipcMain, 'echoed')
      window.webContents.reload()
      ;[, message] = await Promise.race([answered, gone])
    }
    return said(message)
  } finally {
    window.destroy()
  }
}

function said({ did, error }) {
  if (error) throw new Error(error)
  return did
}

async function withinTime(work) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LONGEST} ms`)), LONGEST)
  })
  return await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function path(name) {
  return fileURLToPath(new URL(name, import.meta.url))
}
