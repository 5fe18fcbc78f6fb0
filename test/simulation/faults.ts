/**
 * Faults that the relay once had, and the lines that put each back: `npm run simulate -- --fault N` runs with them, to see
 * that the simulation sees. A line that is no longer there ends the run at once.
 */

export type PutBack = {
  /** As they were counted when they were found. */
  number: number
  was: string
  /** The checks of which one must fail. */
  checks: readonly string[]
  /** Of a run of three hours that shows it. */
  seed: number
  lines: readonly { file: string; line: string; instead: string }[]
}

export const PUT_BACK: readonly PutBack[] = [
  {
    number: 1,
    was: 'an arrival cancels the wait that another failure has set',
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
    number: 2,
    was: 'three refusals begin a hold, whatever is accepted',
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
    number: 3,
    was: 'a hold takes back what died under other settings',
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
    number: 4,
    was: 'a few strikes kill, however fast they come',
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
        line: 'export const MIN_STRIKES_MS = 86_400_000',
        instead: 'export const MIN_STRIKES_MS = 0',
      },
    ],
  },
  {
    number: 6,
    was: 'waiting for AEP counts as processing a large event',
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
    number: 7,
    was: 'parts go out in a format that is no longer set',
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
    number: 8,
    was: 'a store is not repeated when the object was reset',
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
    number: 10,
    was: '`/health` believes that storage can be written',
    checks: ['health', 'alert'],
    seed: 5,
    lines: [
      {
        file: 'src/worker/outbox/health.ts',
        line: 'async isWritable(store: Write | null): Promise<boolean> {\n',
        instead:
          'async isWritable(store: Write | null): Promise<boolean> {\n    if (store === null || store.at > 0) return true\n',
      },
    ],
  },
  {
    number: 23,
    was: 'parts are sent on after an erasure or a delete',
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
    number: 25,
    was: 'an isolate that was idle relays before it exchanges',
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

/** A file of the relay with the lines of a fault in it; throws where one is missing. */
export function withFault({ number, lines }: PutBack, file: string, text: string): string {
  let changed = text
  for (const each of lines) {
    if (!file.endsWith(each.file)) continue
    if (changed.split(each.line).length !== 2) {
      throw new Error(`Fault ${number}: ${each.file} has not once the line: ${each.line}`)
    }
    changed = changed.replace(each.line, () => each.instead)
  }
  return changed
}

/** The fault of `--fault N` among the arguments of a command; `null` without. */
export function faultOf(args: readonly string[]): PutBack | null {
  const at = args.indexOf('--fault')
  if (at < 0) return null
  const fault = PUT_BACK.find(({ number }) => String(number) === args[at + 1])
  if (!fault)
    throw new Error(`--fault is one of ${PUT_BACK.map(({ number }) => number).join(', ')}.`)
  return fault
}
