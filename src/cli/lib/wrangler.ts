/**
 * Wrangler: one command of the pinned wrangler, run to its end.
 *
 * Promises: it is the wrangler of this project's `node_modules`, run on the Node that runs this; it never asks (its
 * standard input is closed), so it uses CLOUDFLARE_API_TOKEN or the login that `npx wrangler login` has stored; its
 * log files never hold what wrangler itself calls sensitive. Arguments are visible to other users of the machine, so
 * no secret may be one.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** Of this project. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export type WranglerResult = {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

type WranglerOptions = {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Ends it. */
  readonly signal?: AbortSignal
  /** Gets its output as it comes, both streams. */
  readonly show?: (text: string) => void
}

export type RunWrangler = (
  args: readonly string[],
  options?: WranglerOptions,
) => Promise<WranglerResult>

/** Never rejects: a wrangler that could not be started has code 127 and says why. */
export function runWrangler(
  args: readonly string[],
  { env = {}, signal, show }: WranglerOptions = {},
): Promise<WranglerResult> {
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
  const child = spawn(process.execPath, ['--no-warnings', wrangler, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_LOG_SANITIZE: 'true',
      ...env,
    },
  })
  const stop = () => child.kill('SIGTERM')
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      show?.(text)
    })
  }
  return new Promise((resolve) => {
    const end = (code: number) => {
      signal?.removeEventListener('abort', stop)
      resolve({ code, ...output })
    }
    child.once('error', (error) => {
      output.stderr += error.message
      end(127)
    })
    child.once('close', (code) => end(code ?? 1))
  })
}

/** Wrangler's own words about a failure: its error lines, without the advice to report a bug. */
export function wranglerError({ stdout, stderr }: WranglerResult): string {
  const lines = stripVTControlCharacters(`${stderr}\n${stdout}`)
    .split('\n')
    .map((line) => line.replace(/^✘ \[ERROR\]\s*/, '').trim())
    .filter(
      (line) =>
        line !== '' && !/If you think this is a bug|Logs were written|newer version/.test(line),
    )
  return lines.slice(0, 6).join('\n')
}

/** Wrangler's warnings, such as a setting in a table that has no such setting. */
export function wranglerWarnings({ stdout, stderr }: WranglerResult): readonly string[] {
  const text = stripVTControlCharacters(`${stderr}\n${stdout}`).replaceAll('\r', '')
  const blocks = text.split(/^(?=▲ \[WARNING\]|✘ \[ERROR\])/m).filter((one) => one.startsWith('▲'))
  const shown = blocks.map((one) =>
    one
      .replace(/^▲ \[WARNING\]\s*/, '')
      .split(/\n\s*\n(?!\s)/)[0]
      ?.split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join(' '),
  )
  return [...new Set(shown.filter((one) => one !== undefined && one !== ''))] as string[]
}
