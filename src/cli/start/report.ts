/** Report: what `npm start` prints, as text. Nothing here does anything. */
import { type Posted, SAMPLES } from './samples.ts'

const COLUMNS = ['kind', 'sample', 'answer', '_id', 'AEP received', 'timestamp', 'bytes'] as const
const SHOWN_ID_CHARACTERS = 12

export function table(posted: readonly Posted[]): string {
  const lines = [[...COLUMNS], ...posted.map(row)]
  const widths = COLUMNS.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  lines.splice(
    1,
    0,
    widths.map((width) => '-'.repeat(width)),
  )
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

function row({ sample, httpStatus, outcome, id, received }: Posted): string[] {
  const kind = sample.path.slice('/chatlio/'.length) || '(one URL)'
  const shownId = id ? `${id.slice(0, SHOWN_ID_CHARACTERS)}…` : '-'
  return [kind, sample.file, `${httpStatus} ${outcome}`, shownId, ...arrival(received)]
}

function arrival([first, ...more]: Posted['received']): string[] {
  if (!first) return ['nothing', '', '']
  const { eventType, timestamp } = first.record
  const bytes = more.reduce((sum, part) => sum + part.bytes, first.bytes)
  const parts = more.length > 0 ? ` in ${more.length + 1} parts` : ''
  return [String(eventType), String(timestamp), `${bytes}${parts}`]
}

export type Urls = {
  readonly worker: string
  readonly aep: string
  readonly key: string
  /** Null as long as the Worker has no admin routes. */
  readonly adminToken: string | null
}

export function guide({ worker, aep, key, adminToken }: Urls): string {
  const width = Math.max(...SAMPLES.map(({ field }) => field.length))
  const urls = SAMPLES.map(
    ({ path, field }) => `  ${field.padEnd(width)}  ${worker}${path}?key=${key}`,
  )
  return [
    'URLs for Chatlio (widget settings, Behavior tab; from outside they need a tunnel or a deploy):',
    ...urls,
    '',
    'Post one yourself:',
    "  curl -H 'content-type: application/json' --data-binary @test/fixtures/transcript.json \\",
    `    '${worker}/chatlio/transcript?key=${key}'`,
    '',
    'Look:',
    `  what AEP received       ${aep}/_/lake`,
    `  what Profile would keep ${aep}/_/profile`,
    `  health of the Worker    ${worker}/health`,
    ...(adminToken
      ? [
          '  what is in the outbox:',
          `    curl -H 'authorization: Bearer ${adminToken}' ${worker}/admin/status`,
        ]
      : []),
    '',
    'Make AEP fail (see README for more):',
    `  curl ${aep}/_/rule --data '{"answer":{"type":"status","status":503},"forMs":30000}'`,
    '',
    'The log lines of the Worker follow. Ctrl-C ends everything.',
  ].join('\n')
}
