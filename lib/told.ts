/** What was thrown, in words: to be sent to another thread, or printed. Anything can be thrown, and nothing of it may throw again. */
import { inspect } from 'node:util'

/** An error on its way to another thread. */
export interface Told {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string | number
}

/** What can be said of it. */
export function told(error: unknown): Told {
  try {
    if (!(error instanceof Error)) return { name: 'Error', message: typeof error === 'string' ? error : inspect(error) }
    const { name, message, stack } = error
    const { code } = error as { code?: unknown }
    return {
      name: String(name),
      message: String(message),
      ...stack === undefined ? {} : { stack: String(stack) },
      ...typeof code === 'string' || typeof code === 'number' ? { code } : {}
    }
  } catch {
    return { name: 'Error', message: 'something was thrown of which nothing can be said' }
  }
}

/** The error, made anew. */
export function retold({ name, message, stack, code }: Told): Error {
  const error = new Error(message)
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== undefined) error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}
