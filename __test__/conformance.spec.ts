import test from 'ava'
import { child } from './_util.js'

test('what must hold under every runtime holds under this one, and the process ends by itself', async t => {
  const { code, stdout, stderr } = await child(t, 'conformance')
  t.is(code, 0, stdout)
  t.is(stderr, '')
  t.regex(stdout, /^\d+ passed, 0 failed, \d+ skipped$/m)
})
