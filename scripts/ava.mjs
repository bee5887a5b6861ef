// The suite under a runtime that lacks what ava asks of Node beyond running tests: as ava's own program, with the same arguments.
import v8 from 'node:v8'
import { bin } from './step.mjs'

// Called when all is done, for the sake of coverage, which nobody has asked for; Bun and Deno throw that they have no such thing.
v8.takeCoverage = () => {}
await import(bin.ava)
