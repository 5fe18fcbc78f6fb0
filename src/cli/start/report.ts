/** Report: the text that `npm start` prints about its samples. Pure. */
import type { LakeRecord } from '../../local-adobe/streaming/lake.ts'
import type { Profile } from '../../local-adobe/streaming/profile.ts'
import { mark, paint, wrap } from '../lib/style.ts'
import { table } from '../lib/terminal.ts'
import { type Posted, SAMPLES } from './samples.ts'

const COLUMNS = ['webhook', 'answer', 'AEP received', 'bytes', 'Profile'] as const

/** One row a sample; `profile` is what the local Profile store would do with everything received. */
export function samplesTable(posted: readonly Posted[], profile: Profile): string {
  const rows = posted.map((each) => row(each, profile))
  const [head, ...lines] = table(COLUMNS, rows).split('\n')
  const body = lines.map(
    (line, index) => `${mark(posted[index]?.received[0] !== undefined)} ${line}`,
  )
  return [`  ${head}`, ...body].join('\n')
}

function row(posted: Posted, profile: Profile): string[] {
  const { httpStatus, outcome, received } = posted
  const [first] = received
  const answer = `${httpStatus} ${outcome}`
  if (!first) return [nameOf(posted), answer, 'nothing', '', '']
  const bytes = received.reduce((sum, part) => sum + part.bytes, 0)
  const size = received.length > 1 ? `×${received.length}` : String(bytes)
  const kept = received.every((each) => whyDropped(each, profile) === null)
  const { eventType } = first.record
  return [nameOf(posted), answer, String(eventType), size, kept ? 'keeps' : 'drops']
}

function nameOf({ sample }: Posted): string {
  return sample.path.slice('/chatlio/'.length) || '(one URL)'
}

function whyDropped({ seq }: LakeRecord, profile: Profile): string | null {
  return profile.dropped.find((dropped) => dropped.seq === seq)?.why ?? null
}

/** What to do about each reason of the local Profile store. */
const ADVICE: Readonly<Partial<Record<string, string>>> = {
  'no _id': 'map `_id` in the dataflow',
  duplicate: 'it has an event with this `_id` already, which is right for a repeat',
  'over 10 KB': 'lower MAX_EVENT_BYTES, so that the relay splits it',
  'no identity': 'neither a visitor UUID nor an email of the visitor is in it',
  'unknown namespace': 'create the identity namespace, or set AEP_VISITOR_NAMESPACE',
}

/** Which events Real-Time Customer Profile would drop, and why. */
export function profileNote(posted: readonly Posted[], profile: Profile): string {
  const dropped = posted.flatMap((each) => {
    const whys = each.received.map((record) => whyDropped(record, profile))
    const why = whys.find((reason) => reason !== null)
    return why ? [{ name: nameOf(each), why }] : []
  })
  if (dropped.length === 0) return 'Real-Time Customer Profile would keep all of them.'
  const lines = dropped.map(({ name, why }) => {
    const advice = ADVICE[why]
    return wrap(`${name}: ${why}${advice ? ` (${advice})` : ''}`, '  ', '    ')
  })
  return [
    `Real-Time Customer Profile would drop ${dropped.length} of them, the data lake keeps all:`,
    ...lines,
  ].join('\n')
}

type Urls = {
  readonly worker: string
  readonly aep: string
  readonly key: string
  /** Null as long as the Worker has no admin routes. */
  readonly adminToken: string | null
}

export function guide({ worker, aep, key, adminToken }: Urls): string {
  const heading = (text: string) => paint('bold', text)
  const urls = SAMPLES.flatMap(({ path, field }) => [
    `  ${field}`,
    `    ${paint('cyan', `${worker}${path}?key=${key}`)}`,
  ])
  return [
    heading('URLs for Chatlio (your widget, tab Behavior)'),
    'Chatlio cannot reach this machine: it needs a tunnel or a deploy.',
    ...urls,
    '',
    heading('Post one yourself'),
    "  curl -H 'content-type: application/json' \\",
    '    --data-binary @test/fixtures/transcript.json \\',
    `    '${worker}/chatlio/transcript?key=${key}'`,
    '',
    heading('Look'),
    `  what AEP received        ${aep}/_/lake`,
    `  what Profile would keep  ${aep}/_/profile`,
    `  health of the Worker     ${worker}/health`,
    ...(adminToken
      ? [
          `  the operators' page      ${worker}/admin`,
          `    with the token ${adminToken}`,
          '  what is in the outbox',
          `    curl -H 'authorization: Bearer ${adminToken}' \\`,
          `      ${worker}/admin/status`,
        ]
      : []),
    '',
    heading('Make AEP fail for 30 seconds (or see: npm start -- --demo)'),
    `  curl ${aep}/_/rule \\`,
    `    --data '{"answer":{"type":"status","status":503},"forMs":30000}'`,
    '',
    'The log lines of the Worker follow. Ctrl-C ends everything.',
  ].join('\n')
}
