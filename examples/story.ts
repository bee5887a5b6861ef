// How the tour tells what happens: chapters, times and numbers.

/** What a chapter has to tell, line by line, as it happens. */
export type Story = AsyncGenerator<string, void>

const colourful = process.stdout.isTTY && !process.env['NO_COLOR']
const paint = (code: number) => (text: string) => colourful ? `\x1b[${code}m${text}\x1b[0m` : text
export const [bold, dim, red] = [paint(1), paint(2), paint(31)] as const

/** Tells a story under its title. One that fails is the end of that chapter only, and of the process's good status. */
export async function chapter(title: string, story: () => Story): Promise<void> {
  let margin = title
  const tell = (line: string) => {
    console.log(`  ${bold(margin.padEnd(9))}${line}`)
    margin = ''
  }
  try {
    for await (const line of story()) tell(line)
  } catch (error) {
    tell(red(`failed: ${error instanceof Error ? error.message : String(error)}`))
    process.exitCode = 1
  }
}

/** What the work resolves to, and how many milliseconds it took. */
export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const since = performance.now()
  return [await work(), performance.now() - since]
}

/** How many files and sockets this process may have open at once. */
export function openFilesLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files: { soft: number | 'unlimited' } } }
  return Number(userLimits?.open_files.soft) || Infinity
}

export function number(value: number): string {
  return value.toLocaleString('en-US')
}

export function ms(value: number): string {
  if (value < 10) return `${value.toPrecision(2)} ms`
  return value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`
}

export function perSecond(count: number, took: number): string {
  return `${number(Math.round(count / took) * 1000)} a second`
}
