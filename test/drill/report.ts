/** Report: the figures of a drill as text. Pure. */
import type { Counts } from './admin.ts'
import type { Evidence } from './evidence.ts'
import type { Format } from './format.ts'
import type { Options } from './options.ts'
import type { Breach } from './oracle.ts'
import { LEFT } from './post-webhook.ts'
import type { Post } from './poster.ts'
import { abandoned, isAccepted, sentEvents } from './sent.ts'

type Totals = {
  readonly kills: number
  readonly phases: number
  readonly faults: number
  readonly aepRequests: number
  /** Of those, the ones with several events. */
  readonly batches: number
  readonly tokenRequests: number
  readonly seconds: number
}

export function figures(
  { seed, format: formatName, storeFirst }: Options,
  evidence: Evidence,
  breaches: readonly Breach[],
  totals: Totals,
  format: Format,
): string {
  const { posts, lake, status, recovered, endOf } = evidence
  const count = (matches: (post: Post) => boolean) => posts.filter(matches).length
  const answered = (outcome: string) => count(({ answer }) => answer?.outcome === outcome)
  const events = [...sentEvents(posts).values()]
  const there = new Set(lake.map((record) => format.eventOf(record)))
  const distinct = new Set(lake.map(({ _id }) => _id)).size
  const split = new Set(
    lake.filter((record) => record._id !== format.eventOf(record)).map(format.eventOf),
  ).size
  const left = abandoned(posts, endOf)
  const broken = (check: string) => breaches.filter((breach) => breach.check === check).length
  const rows: [string, string | number, string?][] = [
    ['seed', seed, `${formatName}${storeFirst ? ', store first' : ''}`],
    ['events posted', events.filter(({ webhook }) => webhook.refused === null).length],
    ['posts', posts.length, 'with repeats and webhooks meant to be refused'],
    ['answered 2xx', count(({ answer }) => isAccepted(answer))],
    ['  forwarded', answered('forwarded')],
    ['  buffered', answered('buffered')],
    ['answered 400, 422', count(({ answer }) => answer !== null && !isAccepted(answer))],
    [
      'unanswered',
      count(({ answer, sender }) => !answer && sender.kind === 'waits'),
      'the Worker was killed',
    ],
    ['left, unanswered', count(({ why }) => why === LEFT), 'senders that did not wait'],
    ['  Worker ran on', left.length, `${broken('abandoned')} of them dropped`],
    ['cut short', count(({ sender }) => sender.kind === 'cuts'), 'no events'],
    ['kills', totals.kills],
    [
      'phases of AEP',
      totals.phases,
      `${totals.faults} kinds of fault, ${totals.aepRequests} requests, ${totals.batches} of them batches; ${totals.tokenRequests} for a token`,
    ],
    ['owed to AEP', events.filter(({ owed }) => owed).length, 'distinct events answered 2xx'],
    ['in AEP', events.filter(({ id }) => there.has(id)).length, 'distinct events'],
    ['  in parts', split, 'too large for one record'],
    ['duplicates in AEP', lake.length - distinct, 'same _id'],
    ['entered the outbox', status.accepted, ledgerLine(status)],
    [
      'drained in ms',
      Math.max(...recovered.map(({ ms }) => ms)),
      `the slowest of ${recovered.length}, after the last fault and kill`,
    ],
    ['asked in vain', evidence.bounds.mostAsked, 'most requests in a second to an AEP that failed'],
    ['waited in ms', evidence.bounds.oldestMs, 'the longest, while AEP failed nothing'],
    ['fresh events', evidence.fresh.length, 'until one was forwarded'],
    ['seconds', totals.seconds.toFixed(1)],
    ['lost', broken('lost')],
    ['wrong', broken('wrong')],
    ['strangers', broken('stranger')],
    ['other breaches', breaches.length - broken('lost') - broken('wrong') - broken('stranger')],
  ]
  return rows
    .map(([name, value, note = '']) => `${name.padEnd(20)}${String(value).padStart(9)}  ${note}`)
    .map((line) => line.trimEnd())
    .join('\n')
}

function ledgerLine({ delivered, pending, dead, quarantined, erased }: Counts): string {
  return `= ${delivered} delivered + ${pending} pending + ${dead} dead + ${quarantined} quarantined + ${erased} erased`
}

export function postLine(post: Post, endOf: Evidence['endOf']): string {
  const { webhook, sender, answer, why, sentAt, endedAt, life } = post
  const at = new Date(sentAt).toISOString()
  const came = answer ? `${answer.status} ${answer.outcome}` : `no answer (${why})`
  const lived = endOf(life) > endedAt ? '' : ', killed meanwhile'
  return `posted ${at} /${webhook.segment} ${webhook.body.length} bytes, ${sender.kind}, life ${life}${lived}: ${came} after ${endedAt - sentAt} ms`
}
