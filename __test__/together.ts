// Under Wine the start of a test file takes longer than most files do. Those that have nothing or next to nothing to run there share one
// process instead (scripts/windows.mjs): what they leave out is told by title as ever, and what one of them gets to run is run. ava
// begins when it has heard of the first test, so none of them may wait for a file or another process before it declares its own.
/* oxlint-disable import/no-unassigned-import -- to declare tests is all they do */
import './address.spec.js'
import './credentials.spec.js'
import './examples.spec.js'
import './groups.spec.js'
import './handles.spec.js'
import './pair.spec.js'
import './poller.spec.js'
import './raw.spec.js'
import './readme.spec.js'
import './restart.spec.js'
import './seqpacket.spec.js'
import './stack-curl.spec.js'
import './stack-nginx-clients.spec.js'
import './stack-nginx.spec.js'
import './stack-postgres.spec.js'
import './stack-redis.spec.js'
import './stack-tls.spec.js'
import './system.spec.js'
import './unix.spec.js'
