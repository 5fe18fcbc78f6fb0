/**
 * Log lines: the Worker's JSON lines as a person reads them, with the time at which they came.
 * Pure. A field that it does not know is shown as `name=value`, so that a new one is never hidden.
 */
import { isObject, jsonIn } from '../../worker/lib/json.ts'
import { COLUMNS, paint, wrap } from '../lib/style.ts'

type Fields = Readonly<Record<string, unknown>>

const INDENT = ' '.repeat(10)

/** One line that the Worker or wrangler has printed; `null`: nothing that a person needs to see. */
export function readableLine(line: string, at: Date): string | null {
  const own = /\{"event":.*\}/.exec(line)
  const fields = own && jsonIn(own[0])
  if (isObject(fields)) return `${paint('dim', clock(at))}  ${body(fields)}`
  if (line.trim() === '' || /^\[wrangler:|Logs were written to/.test(line)) return null
  // wrangler prints whole URLs, key included.
  return printable(line.replaceAll(/([?&]key=)[^&\s]+/g, '$1…'))
}

function body({ event, ...fields }: Fields): string {
  const { sentence, rest } =
    event === 'webhook' ? webhook(fields) : { sentence: String(event), rest: fields }
  const pairs = Object.entries(rest).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [`${name}=${shown(value)}`],
  )
  const text = printable([sentence, ...pairs].join(' '))
  // The time in front takes as much as the indent.
  const [head = '', ...more] = wrap(text, '', '', COLUMNS - INDENT.length).split('\n')
  return [colour(event, fields, head), ...more.map((each) => INDENT + each)].join('\n')
}

/** The line that comes most often, as a sentence; what else it has follows. */
function webhook({ kind, outcome, status, ms, id, ...rest }: Fields) {
  const sentence = `${kind}: ${outcome} (${status}) in ${ms} ms`
  // Of an event that is stored here the whole id, to ask /admin/events about it.
  return { sentence, rest: outcome === 'forwarded' ? rest : { ...rest, id } }
}

function colour(event: unknown, { outcome, reason }: Fields, text: string): string {
  if (outcome === 'forwarded') return paint('green', text)
  if (event === 'webhook') return paint(outcome === 'buffered' ? 'yellow' : 'red', text)
  if (event === 'dead-letter') return paint('red', text)
  return paint(event === 'hold' && reason !== null ? 'red' : 'cyan', text)
}

function shown(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Local time, `HH:MM:SS`. */
function clock(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

/** A terminal obeys control characters: none from outside reaches it. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '·')
}
