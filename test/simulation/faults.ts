/**
 * Faults, and the lines that put each into the relay: `npm run simulate -- --fault NAME` runs with them, to see that the
 * simulation sees, and `--faults` with one after the other. A line that is no longer there ends the run at once.
 */
import { type Fault, MINUTE } from './plan.ts'

export type PutIn = {
  name: string
  is: string
  /** The checks of the oracle of which one must fail. */
  checks: readonly string[]
  /** Of a run that shows it, of so many hours, 3 by default; `faults`: in place of those of its plan. */
  seed: number
  hours?: number
  faults?: readonly Fault[]
  lines: readonly { file: string; line: string; instead: string }[]
}

/** Those that the relay once had, numbered as they were found. */
export const PUT_BACK: readonly PutIn[] = [
  {
    name: '1',
    is: 'an arrival cancels the wait that another failure has set',
    checks: ['rate'],
    seed: 45,
    lines: [
      {
        file: 'src/worker/outbox/aep.ts',
        line: 'const waitsForRefusal = aep.refusals.hold !== null && aep.failure === null',
        instead: 'const waitsForRefusal = aep.refusals.hold !== null',
      },
      {
        file: 'src/worker/outbox/known.ts',
        line: 'Math.max(aep.retryAt, aep.probedAt + PROBE_INTERVAL_MS)',
        instead: 'aep.retryAt',
      },
    ],
  },
  {
    name: '2',
    is: 'three refusals begin a hold, whatever is accepted',
    checks: ['hold', 'stalled'],
    seed: 112,
    lines: [
      {
        file: 'src/worker/outbox/aep.ts',
        line: 'accepted.beganAt > first.at ? null : accepted.at + QUIET_MS',
        instead: 'accepted.beganAt > first.at ? null : first.at',
      },
    ],
  },
  {
    name: '3',
    is: 'a hold takes back what died under other settings',
    checks: ['taken-back'],
    seed: 84,
    lines: [
      {
        file: 'src/worker/outbox/aep.ts',
        line: 'const takenBackFrom = Math.max(refusals.from, refusals.accepted?.beganAt ?? 0)',
        instead: 'const takenBackFrom = 0',
      },
    ],
  },
  {
    name: '4',
    is: 'a few strikes kill, however fast they come',
    checks: ['dead'],
    seed: 13,
    lines: [
      {
        file: 'src/worker/limits.ts',
        line: 'export const MAX_STRIKES = 30',
        instead: 'export const MAX_STRIKES = 8',
      },
      {
        file: 'src/worker/limits.ts',
        line: 'export const MIN_STRIKES_MS = DAY_MS',
        instead: 'export const MIN_STRIKES_MS = 0',
      },
    ],
  },
  {
    name: '6',
    is: 'waiting for AEP counts as processing a large event',
    checks: ['quarantined'],
    seed: 17,
    lines: [
      {
        file: 'src/worker/outbox/delivery/send.ts',
        line: '    events.end(position)\n',
        instead: '',
      },
    ],
  },
  {
    name: '7',
    is: 'parts go out in a format that is no longer set',
    checks: ['shape'],
    seed: 8,
    lines: [
      {
        file: 'src/worker/outbox/delivery/send.ts',
        line: '[this.#madeFor, this.#madeForBefore].includes(split.madeFor)',
        instead: 'true',
      },
    ],
  },
  {
    name: '8',
    is: 'a store is not repeated when the object was reset',
    checks: ['unavailable'],
    seed: 41,
    lines: [
      {
        file: 'src/worker/relay.ts',
        line: 'if (Object(thrown).durableObjectReset !== true) throw thrown',
        instead: 'throw thrown',
      },
    ],
  },
  {
    name: '10',
    is: '`/health` believes that storage can be written',
    checks: ['health', 'alert'],
    seed: 5,
    lines: [
      {
        file: 'src/worker/outbox/arrivals.ts',
        line: 'async isWritable(): Promise<boolean> {\n',
        instead:
          'async isWritable(): Promise<boolean> {\n    if ((this.#lastWrite?.at ?? 1) > 0) return true\n',
      },
    ],
  },
  {
    name: '23',
    is: 'parts are sent on after an erasure or a delete',
    checks: ['erased', 'deleted'],
    seed: 12,
    lines: [
      {
        file: 'src/worker/outbox/delivery/send.ts',
        line: 'events.stillPending([prepared.event]).length === 0',
        instead: 'events.stillPending([prepared.event]).length < 0',
      },
    ],
  },
  {
    name: '25',
    is: 'an isolate that was idle relays before it exchanges',
    checks: ['suppressed'],
    seed: 85,
    lines: [
      {
        file: 'src/worker/report.ts',
        line: '    if (isWithin(this.#informedAt, INFORMED_MS, now)) return true\n',
        instead: '    return true\n',
      },
    ],
  },
]

/** One for each check that none of those is seen by. */
const EACH_CHECK: readonly PutIn[] = [
  {
    name: 'answer',
    is: 'a webhook of the wrong shape is answered 400',
    checks: ['answer'],
    seed: 1,
    hours: 1,
    lines: [
      {
        file: 'src/worker/http/problem.ts',
        line: "'invalid-payload': () => [422,",
        instead: "'invalid-payload': () => [400,",
      },
    ],
  },
  {
    name: 'custody',
    is: 'an event is called forwarded that AEP has only deferred',
    checks: ['custody'],
    seed: 3,
    hours: 1,
    lines: [
      {
        file: 'src/worker/relay.ts',
        line: "if (ending.verdict === 'accepted') return forwarded(ending.status, encoded.redacted)",
        instead: "if (ending.verdict !== 'held') return forwarded(200, encoded.redacted)",
      },
    ],
  },
  {
    name: 'lost',
    is: 'events are erased for their age after ten minutes',
    checks: ['lost'],
    seed: 1,
    lines: [
      {
        file: 'src/worker/outbox/delivery/delivery.ts',
        line: 'now() - config.retentionMs, EXPIRE_BATCH',
        instead: 'now() - 600_000, EXPIRE_BATCH',
      },
    ],
  },
  {
    name: 'ledger',
    is: 'of events that are delivered together one is counted',
    checks: ['ledger'],
    seed: 1,
    lines: [
      {
        file: 'src/worker/outbox/events.ts',
        line: 'this.ledger.count({ delivered: pending.length })',
        instead: 'this.ledger.count({ delivered: 1 })',
      },
    ],
  },
  {
    name: 'ledger-erased',
    is: 'what is deleted counts as expired',
    checks: ['ledger'],
    seed: 1,
    lines: [
      {
        file: 'src/worker/outbox/ledger.ts',
        line: 'COUNT, accepted, delivered, expired, deleted, person,',
        instead: 'COUNT, accepted, delivered, expired + deleted, 0, person,',
      },
    ],
  },
  {
    name: 'stranger',
    is: 'the id changes on the way to AEP',
    checks: ['stranger'],
    seed: 3,
    hours: 1,
    lines: [
      {
        file: 'src/worker/aep/record/encode.ts',
        line: 'own: { _id: id, timestamp,',
        instead: 'own: { _id: id.toUpperCase(), timestamp,',
      },
    ],
  },
  {
    name: 'content',
    is: 'a part says when it was sent, each time anew',
    checks: ['content'],
    seed: 6,
    lines: [
      {
        file: 'src/worker/outbox/delivery/send.ts',
        line: 'return { part, record: withDelay(record, receivedAt, at) }',
        instead:
          'return { part, record: withDelay(record, receivedAt, at).replace(\'"part":{\', \'"part":{"sentAt":\' + at + \',\') }',
      },
    ],
  },
  {
    name: 'outage',
    is: 'an event that AEP refuses counts as an outage',
    checks: ['outage'],
    seed: 18,
    faults: [
      {
        what: 'aep',
        from: 30 * MINUTE,
        to: 50 * MINUTE,
        answer: '400',
        share: 1,
        kinds: null,
        ims: false,
      },
    ],
    lines: [
      {
        file: 'src/worker/aep/client/verdict.ts',
        line: "const REFUSED: Judged = { verdict: 'rejected', code: 'rejected' }",
        instead: "const REFUSED: Judged = { verdict: 'deferred', code: 'unavailable' }",
      },
    ],
  },
  {
    name: 'late',
    is: 'a wait for AEP lasts half a day',
    checks: ['late'],
    seed: 429,
    faults: [
      {
        what: 'aep',
        from: 20 * MINUTE,
        to: 40 * MINUTE,
        answer: '503',
        share: 1,
        kinds: null,
        ims: false,
      },
    ],
    lines: [
      {
        file: 'src/worker/outbox/aep.ts',
        line: 'retryAt: now + Math.max(1, fullJitterMs(failures, policy))',
        instead: 'retryAt: now + 43_200_000',
      },
    ],
  },
  {
    name: 'stalled',
    is: 'what arrives does not wake the outbox',
    checks: ['stalled'],
    seed: 429,
    faults: [
      {
        what: 'aep',
        from: 10 * MINUTE,
        to: 100 * MINUTE,
        answer: '400',
        share: 1,
        kinds: ['feedback'],
        ims: false,
      },
    ],
    lines: [
      {
        file: 'src/worker/outbox/arrivals.ts',
        line: "if (state === 'pending' || state === 'dead') await delivery.scheduleNewWork()",
        instead: '',
      },
    ],
  },
  {
    name: 'memory',
    is: 'a request that has reported is kept alive',
    checks: ['memory'],
    seed: 280,
    faults: [],
    lines: [
      {
        file: 'src/worker/report.ts',
        line: 'if (this.#hasSomething) await this.#reportUntilTaken(tries)',
        instead: 'await this.#reportUntilTaken(tries).then(() => new Promise(() => undefined))',
      },
    ],
  },
  {
    name: 'figures',
    is: 'a report that is sent twice counts twice',
    checks: ['figures'],
    seed: 18,
    faults: [{ what: 'rpc', from: 20 * MINUTE, to: 40 * MINUTE, how: 'lost-back', share: 1 }],
    lines: [
      {
        file: 'src/worker/outbox/records/reports.ts',
        line: 'known.sequence >= report.sequence',
        instead: 'known.sequence > report.sequence',
      },
    ],
  },
  {
    name: 'not-landed',
    is: 'what AEP has refused once it is said to refuse for ever',
    checks: ['not-landed'],
    seed: 18,
    hours: 5,
    faults: [{ what: 'landed', from: 20 * MINUTE, to: 40 * MINUTE, how: 'fails', share: 1 }],
    lines: [
      {
        file: 'src/worker/limits.ts',
        line: 'export const LANDED_CLEAN_MS = HOUR_MS',
        instead: 'export const LANDED_CLEAN_MS = 360_000_000',
      },
    ],
  },
  {
    name: 'parts',
    is: 'parts count with the last part of their event',
    checks: ['not-landed'],
    seed: 5024,
    hours: 24,
    lines: [
      {
        file: 'src/worker/outbox/parts.ts',
        line: 'SELECT position, COUNT(*) AS count FROM parts',
        instead: 'SELECT position, parts AS count FROM splits',
      },
      {
        file: 'src/worker/outbox/delivery/outcome.ts',
        line: '      records.partSettled(event)\n',
        instead: '',
      },
    ],
  },
  {
    name: 'incomplete',
    is: 'no transcript is found',
    checks: ['incomplete'],
    seed: 28,
    faults: [],
    lines: [
      {
        file: 'src/worker/outbox/records/completeness.ts',
        line: "else if (kind === 'transcript') transcripts.add(conversation)",
        instead: "else if (kind === 'transcript') transcripts.add(id)",
      },
    ],
  },
  {
    name: 'compared',
    is: 'of an hour that is read again what has failed meanwhile is not noted',
    checks: ['compared'],
    seed: 18,
    hours: 4,
    faults: [{ what: 'landed', from: 20 * MINUTE, to: 60 * MINUTE, how: 'fails', share: 1 }],
    lines: [
      {
        file: 'src/worker/outbox/records/landed.ts',
        line: 'failed = excluded.failed, settled',
        instead: 'settled',
      },
    ],
  },
  {
    name: 'alert',
    is: 'an alert is repeated at each run of the cron trigger',
    checks: ['alert'],
    seed: 28,
    faults: [
      {
        what: 'aep',
        from: 10 * MINUTE,
        to: 170 * MINUTE,
        answer: '503',
        share: 1,
        kinds: null,
        ims: false,
      },
    ],
    lines: [
      {
        file: 'src/worker/limits.ts',
        line: 'export const ALERT_REPEAT_MS = 4 * HOUR_MS',
        instead: 'export const ALERT_REPEAT_MS = 60_000',
      },
    ],
  },
]

export const FAULTS: readonly PutIn[] = [...PUT_BACK, ...EACH_CHECK]

/** A file of the relay with the lines of a fault in it; throws where one is missing. */
export function withFault({ name, lines }: PutIn, file: string, text: string): string {
  let changed = text
  for (const each of lines) {
    if (!file.endsWith(each.file)) continue
    if (changed.split(each.line).length !== 2) {
      throw new Error(`Fault ${name}: ${each.file} has not once the line: ${each.line}`)
    }
    changed = changed.replace(each.line, () => each.instead)
  }
  return changed
}

/** The fault of `--fault NAME` among the arguments of a command; `null` without. */
export function faultOf(args: readonly string[]): PutIn | null {
  const at = args.indexOf('--fault')
  if (at < 0) return null
  const fault = FAULTS.find(({ name }) => name === args[at + 1])
  if (!fault) throw new Error(`--fault is one of ${FAULTS.map(({ name }) => name).join(', ')}.`)
  return fault
}
