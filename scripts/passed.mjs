// The last job of ci.yml: fails unless all the others have succeeded, whose results are in NEEDS as GitHub tells them. To GitHub a job that
// was skipped is as good as one that passed; here it is not.
import { Failure } from './step.mjs'

const others = Object.entries(JSON.parse(process.env.NEEDS ?? '{}')).filter(([, { result }]) => result !== 'success')
if (process.env.NEEDS === undefined) throw new Failure('NEEDS is not set; this is for GitHub')
if (others.length > 0) throw new Failure(others.map(([name, { result }]) => `${name}: ${result}`).join('\n'))
