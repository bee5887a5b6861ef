// A worker: connects, waits to be let go, gives the main thread the time to block, and sends.
import { workerData } from 'node:worker_threads'
import { Address, tcp, type AddressFields } from 'socket2'

const { signal, address } = workerData as { signal: Int32Array; address: AddressFields }
const socket = await tcp().connect(Address.from(address))
Atomics.wait(signal, 0, 0)
Atomics.wait(signal, 0, 1, 20)
await socket.send('late')
socket.close()
