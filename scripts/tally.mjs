// Runs test programs one after the other and keeps count; shows what failed, and in the end what was left out and why, and once more the
// names of what failed: of a long output often only the end is kept.
import { Failure, step } from './step.mjs'

export class Tally {
  #passed = 0
  #failed = 0
  #skipped = new Set()
  #failures = []

  /** `everything`: shows all the programs write, not only what failed. */
  constructor(everything = false) {
    this.everything = everything
  }

  /** Runs the suite; `action` resolves to what ava wrote. */
  ava(title, action) {
    return this.#attempt(title, action, output => ({
      // The sum at the end is left out when a test has failed.
      passed: count(output, /^ +[✔√] /gm),
      failed: sum(output, /^ +(\d+) (?:tests?|uncaught exceptions?|unhandled rejections?|hooks?)(?: failed)?$/gm),
      skipped: Array.from(output.matchAll(/^ +- \[skip\] (.+)$/gm), ([, name]) => name)
    }))
  }

  /** Runs Rust tests; `action` resolves to what cargo wrote. */
  cargo(title, action) {
    return this.#attempt(title, action, output => ({
      passed: sum(output, /(\d+) passed;/g),
      failed: sum(output, /(\d+) failed;/g),
      skipped: []
    }))
  }

  /** Runs the checks of conformance.ts; `action` resolves to what they wrote. */
  conformance(title, action) {
    return this.#attempt(title, action, output => ({
      passed: count(output, /^ok \d+ /gm),
      failed: count(output, /^failed(?: \d+ |: )/gm),
      skipped: Array.from(output.matchAll(/^skip \d+ (.+)$/gm), ([, name]) => `${title} › ${name}`)
    }))
  }

  /** Runs a program that passes or fails as a whole. */
  program(title, action) {
    return this.#attempt(title, action, (_, ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [] }))
  }

  /** Says what was left out and why. */
  skip(name) {
    this.#skipped.add(name)
  }

  /** Says how it went, and makes the process end accordingly. */
  end() {
    for (const name of this.#skipped) console.log(`skipped: ${name}`)
    for (const name of this.#failures) console.log(`failed: ${name}`)
    console.log(`${this.#passed} passed, ${this.#failed} failed${this.#skipped.size > 0 ? `, ${this.#skipped.size} skipped` : ''}`)
    process.exitCode = this.#failed > 0 ? 1 : 0
  }

  async #attempt(title, action, read) {
    let [output, ok] = ['', true]
    try {
      await step(title, {}, async () => { output = await action() })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      ;[output, ok] = [error.message, false]
    }
    const { passed, failed, skipped } = read(output, ok)
    if (this.everything) console.log(output)
    else if (!ok) console.log(output.replaceAll(/^(?: +(?:[✔√]|- \[skip\])|ok|skip) .*\n/gm, ''))
    console.log(`  ${passed} passed${ok ? '' : `, ${Math.max(1, failed)} failed`}${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
    this.#passed += passed
    this.#failed += ok ? 0 : Math.max(1, failed)
    if (!ok) this.#failures.push(...named(output).map(name => `${title} › ${name}`))
    for (const name of skipped) this.skip(name)
  }
}

/** What a program says of each that failed: of a test, of a file's process, of a Rust test, of a check of conformance.ts. */
function named(output) {
  const lines = Array.from(output.matchAll(/^ +[✘×] (?:\[fail\]: )?(.+)$|^---- (.+) stdout ----$|^failed(?: \d+|:) (.+)$/gm))
  return lines.length > 0 ? lines.map(groups => groups.slice(1).find(Boolean).trim()) : ['as a whole']
}

function count(text, pattern) {
  return [...text.matchAll(pattern)].length
}

function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((all, [, number]) => all + Number(number), 0)
}
