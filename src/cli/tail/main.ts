/**
 * `npm run tail`: what the deployed relay does, one readable line an event, from `wrangler tail`, a file or a pipe.
 * Never prints a key, a query string, or a control character that came from outside.
 */
import { spawn } from 'node:child_process'
import { createReadStream, fstatSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'
import { whyUnreadable } from '../lib/env-file.ts'
import { printable } from '../lib/printable.ts'
import { runCommand } from '../lib/run.ts'
import { linesOf as textLinesOf } from '../lib/text.ts'
import { ROOT } from '../lib/wrangler.ts'
import { type Line, linesOf } from './event.ts'
import { format } from './format.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { type Piece, Splitter } from './split.ts'

/** Resolves with the exit code, once what it follows has ended. */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, tail)
}

async function tail(options: Options): Promise<number> {
  const file = options.file ?? (isPipe() ? '-' : null)
  // Whoever reads what this prints has gone.
  const unread = new AbortController()
  const stop = () => unread.abort()
  process.stdout.once('error', stop)
  try {
    if (file === null) return await follow(options, unread.signal)
    await read(file === '-' ? process.stdin : createReadStream(file), options, unread.signal)
    return 0
  } catch (error) {
    console.error(`${printable(file ?? 'wrangler')} ${whyUnreadable(error)}.`)
    return 2
  } finally {
    process.stdout.off('error', stop)
  }
}

/** Whether something is piped into this. A terminal and /dev/null are not; a closed one cannot be asked. */
function isPipe(): boolean {
  try {
    const stat = fstatSync(0)
    return stat.isFIFO() || stat.isSocket() || stat.isFile()
  } catch {
    return false
  }
}

async function read(
  input: AsyncIterable<Uint8Array>,
  options: Options,
  unread: AbortSignal,
): Promise<void> {
  const splitter = new Splitter()
  for await (const line of textLinesOf(input)) {
    show(splitter.push(line), options)
    if (unread.aborted) return
  }
  show(splitter.end(), options)
}

async function follow(options: Options, unread: AbortSignal): Promise<number> {
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
  // Wrangler runs elsewhere, and looks for a file from there.
  const which = ['--env', options.env ?? '', '--config', path.resolve(options.config)]
  const args = ['--no-warnings', wrangler, 'tail', '--format', 'json', ...which]
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', WRANGLER_HIDE_BANNER: 'true' },
  })
  // Ctrl-C reaches wrangler too, which then takes its leave of Cloudflare.
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true
      child.kill(signal)
    })
  }
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(1))
    child.once('close', (code) => resolve(code ?? 1))
  })
  createInterface({ input: child.stderr }).on('line', complain)
  unread.addEventListener('abort', () => child.kill('SIGTERM'))
  await read(child.stdout, options, unread)
  const code = await ended
  return interrupted || unread.aborted || code === 0 ? 0 : 1
}

function complain(line: string): void {
  if (line.trim() !== '') console.error(printable(stripVTControlCharacters(line)))
}

function show(pieces: readonly Piece[], { errorsOnly }: Options): void {
  for (const piece of pieces) {
    const lines: Line[] =
      'object' in piece
        ? linesOf(piece.object)
        : [{ at: null, level: 'info', what: 'wrangler', text: printable(piece.text) }]
    for (const line of lines) {
      if (!errorsOnly || line.level === 'warn' || line.level === 'error') console.log(format(line))
    }
  }
}
