/**
 * How a command begins and complains, whichever it is: help is printed, a wrong command line ends with 2 and the
 * usage, and what a command works with from outside (environment, clock, network) can be given in its place.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Environment } from './env-file.ts'
import type { Io } from './platform-client.ts'
import { printable } from './printable.ts'
import { marked } from './style.ts'
import { messageOf } from './text.ts'

export type Surroundings = {
  readonly env: Environment
  /** Where files are. */
  readonly directory: string
  readonly now: () => number
  readonly io: Io
}

export const processIo = (): Io => {
  return { fetch: globalThis.fetch, sleep: (ms) => delay(ms), random: Math.random }
}

export const surroundingsOf = (given: Partial<Surroundings>): Surroundings => ({
  env: process.env,
  directory: process.cwd(),
  now: Date.now,
  io: processIo(),
  ...given,
})

/** What a command line asks for; the text says what is wrong with it. */
type Read<Options> = Options | 'help' | { readonly wrong: string }

/** What reading throws, `parseArgs` above all, is wrong with the command line too. */
export function tried<Options>(read: () => Read<Options>): Read<Options> {
  try {
    return read()
  } catch (error) {
    return { wrong: messageOf(error) }
  }
}

/** Resolves with the exit code. */
export async function runCommand<Options extends object, Code extends number | undefined>(
  read: () => Read<Options>,
  usage: string,
  act: (options: Options) => Promise<Code>,
): Promise<Code | 0 | 2> {
  const options = tried(read)
  if (options === 'help') {
    console.log(usage)
    return 0
  }
  if ('wrong' in options) {
    console.error(`${options.wrong}\n\n${usage}`)
    return 2
  }
  return act(options)
}

/** A line of the result; `null`: neither well nor not. */
export function say(well: boolean | null, text: string): void {
  console.log(marked(well, printable(text)))
}

/** Why the command ends; with this exit code. */
export function complain(text: string, code: number): number {
  console.error(marked(false, printable(text)))
  return code
}
