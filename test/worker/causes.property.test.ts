/** The counts by cause are those of the events themselves, after whatever has happened to these. */
import { runInDurableObject } from 'cloudflare:test'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Bulk } from '../../src/worker/outbox/bulk.ts'
import type { ParkedState, StoredError } from '../../src/worker/outbox/event.ts'
import { Events } from '../../src/worker/outbox/events.ts'
import { EventList, type ListFilter } from '../../src/worker/outbox/list.ts'
import { Suppressions } from '../../src/worker/outbox/records/lookup.ts'
import { arrivingEvent, failedAttempt } from './outbox-support.ts'
import { eachTest, outbox } from './support.ts'

eachTest(() => undefined)

const ERRORS: readonly StoredError[] = [
  { code: 'rejected', status: 400, message: 'Bad: required at #/a/1, type at #/b' },
  { code: 'rejected', status: 400, message: 'AEP answered 400' },
  { code: 'invalid-payload', status: null, message: 'messages.3.text: expected text' },
  { code: 'malformed-json', status: null, message: 'not JSON in UTF-8' },
]
const event = fc.nat({ max: 6 })
const error = fc.constantFrom(...ERRORS)
const parkedState = fc.constantFrom<ParkedState>('dead', 'quarantined')
const filter = fc.record({
  state: parkedState,
  kind: fc.constantFrom(null, 'feedback' as const, 'unanswered' as const),
  code: fc.constantFrom(null, 'rejected', 'invalid-payload'),
  path: fc.constantFrom(null, '', '#/a/*', 'messages.*.text'),
  from: fc.constantFrom(0, 3_000 * 4_096),
  end: fc.constantFrom(Number.MAX_SAFE_INTEGER, 5_000 * 4_096),
})
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      event,
      state: fc.constantFrom('pending' as const, 'dead' as const, 'quarantined' as const),
      error,
    }),
  },
  fc.record({ do: fc.constant('park' as const), event, state: parkedState, error }),
  fc.record({ do: fc.constant('erase' as const), event }),
  fc.record({ do: fc.constant('take back' as const), event }),
  fc.record({ do: fc.constant('redrive' as const), filter, limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('delete' as const), filter, limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('expire' as const), event }),
  fc.record({ do: fc.constant('begin' as const), event }),
)
type Action = typeof action extends fc.Arbitrary<infer Each> ? Each : never

const body = new TextEncoder().encode(
  JSON.stringify({ visitor: { UUID: 'visitor-1' }, message: 'valid today' }),
)
const idOf = (index: number) => String(index).repeat(64)
const kindOf = (index: number) =>
  index % 2 === 0 ? ('feedback' as const) : ('unanswered' as const)
const receivedAtOf = (index: number) => (index + 1) * 1_000

/** Whether `filter` matches a row, said once more and in other words. */
function isMatched(row: Record<string, SqlStorageValue>, wanted: ListFilter): boolean {
  return (
    row.state === wanted.state &&
    [null, row.kind].includes(wanted.kind) &&
    [null, row.code].includes(wanted.code) &&
    [null, row.path].includes(wanted.path) &&
    Number(row.position) >= wanted.from &&
    Number(row.position) < wanted.end
  )
}

it('they equal a GROUP BY over what is parked, and every filter finds what it names, after any sequence', async () => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const { sql } = storage
    const events = new Events(storage, () => {})
    const list = new EventList(sql)
    const suppressions = new Suppressions(sql, () => crypto.randomUUID())
    const records = { suppressions, eraseReceipts: () => 0 }
    const bulk = new Bulk({ events, list, records, now: () => 0 })
    const rows = (query: string) => sql.exec(query).toArray()

    function act(step: Action): void {
      if (step.do === 'expire') {
        const expired = events.receivedBefore(receivedAtOf(step.event), 10)
        events.erase(
          expired.map(({ position }) => position),
          'expired',
        )
      } else if (step.do === 'redrive' || step.do === 'delete') {
        const { filter, limit } = step
        const request = { filter, ids: null, dryRun: false, after: -1, limit }
        const matching = rows('SELECT * FROM events ORDER BY position').filter((row) =>
          isMatched(row, filter),
        )
        const positions = matching.map(({ position }) => position).slice(0, limit)
        const found = list.list(filter, null, limit).events
        expect(found.map(({ position }) => position)).toEqual(positions)
        const newest = list.list(filter, null, 10, true).events
        expect(newest.map(({ position }) => position)).toEqual(
          matching.map(({ position }) => position).toReversed(),
        )
        const page = step.do === 'delete' ? bulk.erase(request) : bulk.redrive(request)
        expect(page.matched).toBe(positions.length)
      } else change(step)
    }

    function change(step: Extract<Action, { event: number }>): void {
      const id = idOf(step.event)
      const place = events.find(id)
      if (step.do === 'put') {
        const { state, error } = step
        const attempt = state === 'pending' ? null : failedAttempt(error)
        const kind = kindOf(step.event)
        const receivedAt = receivedAtOf(step.event)
        events.store([arrivingEvent(0, { id, kind, receivedAt, body, state, attempt })])
      } else if (!place) return
      else if (step.do === 'begin') events.begin(place.position)
      else if (step.do === 'erase') events.erase([place.position], 'deleted')
      else if (step.do === 'park' && place.state === 'pending') {
        events.park(place.position, step.state, failedAttempt(step.error))
      } else if (step.do === 'take back') events.takeBackRefusals(0, 5, -1, 2)
    }

    fc.assert(
      fc.property(fc.array(action, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
        const left = events.receivedBefore(receivedAtOf(100), 100)
        events.erase(
          left.map(({ position }) => position),
          'deleted',
        )
        for (const step of steps) {
          act(step)
          expect(rows('SELECT state, code, path, kind, count FROM causes')).toEqual(
            rows(`SELECT state, code, path, kind, COUNT(*) AS count FROM events
              WHERE state <> 'pending' GROUP BY state, code, path, kind ORDER BY state, code, path, kind`),
          )
          // Of the life of a group: at least as wide as those of the events that are left.
          expect(
            rows(`SELECT * FROM events JOIN causes USING (state, code, path, kind)
              WHERE received_at < first_at OR received_at > last_at`),
          ).toEqual([])
          expect(rows('SELECT * FROM causes WHERE uncounted NOT BETWEEN 0 AND count')).toEqual([])
          for (const [state, count] of Object.entries(events.ledger.read())) {
            if (!['pending', 'dead', 'quarantined'].includes(state)) continue
            const { n } = sql.exec('SELECT COUNT(*) AS n FROM events WHERE state = ?', state).one()
            expect(count).toBe(n)
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})
