/**
 * Split: lines into the JSON objects that `wrangler tail --format json` prints, each over many lines.
 * An object begins at a line that is `{` and ends at a line that is `}`: inside, every line is indented. One on a single
 * line is taken as well, so that what another tool has made compact can be read; and so is a line of the relay's own log,
 * as `wrangler dev` prints it. Anything else is given back as text.
 * Pure but for the lines it holds back; an object that never ends is given back as text when it grows too large.
 */
import { stripVTControlCharacters } from 'node:util'
import { isObject, jsonIn } from '../../worker/lib/json.ts'

export type Piece =
  | { readonly object: Readonly<Record<string, unknown>> }
  | { readonly text: string }

/** Cloudflare cuts an invocation's logs at 256 KB; with its request that is some thousand lines. */
const MAX_LINES = 100_000

export class Splitter {
  #lines: string[] = []

  /** What has become whole with this line. */
  push(line: string): Piece[] {
    if (this.#lines.length === 0) {
      if (line.trimEnd() !== '{') return piecesOf(line)
      this.#lines = [line]
      return []
    }
    // A new beginning in the middle of an object: wrangler was cut off and started again.
    if (line.trimEnd() === '{') return [...this.end(), ...this.push(line)]
    this.#lines.push(line)
    if (line.trimEnd() !== '}' && this.#lines.length < MAX_LINES) return []
    const object = this.#lines.join('\n')
    this.#lines = []
    return piecesOf(object)
  }

  /** What is left when nothing follows. */
  end(): Piece[] {
    const rest = this.#lines.join(' ')
    this.#lines = []
    return rest === '' ? [] : piecesOf(rest)
  }
}

/** Of `wrangler dev`; what is worse than information stands behind its mark. */
const OWN_LINE = /^(?:\S+ \[(WARNING|ERROR)\] )?(\{"event":".*\})$/
const LEVELS: Readonly<Record<string, string>> = { WARNING: 'warn', ERROR: 'error' }

function piecesOf(text: string): Piece[] {
  if (text.trim() === '') return []
  const [, mark = '', line] = OWN_LINE.exec(stripVTControlCharacters(text).trim()) ?? []
  if (line !== undefined) {
    const log = { level: LEVELS[mark] ?? 'log', message: [line] }
    return [{ object: { outcome: 'ok', logs: [log] } }]
  }
  const object = text.startsWith('{') ? jsonIn(text) : undefined
  return [isObject(object) ? { object } : { text }]
}
