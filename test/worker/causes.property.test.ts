/** The counts by cause are those of the events themselves, after whatever has happened to these. */
import { runInDurableObject } from 'cloudflare:test'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { INITIAL_UPSTREAM } from '../../src/worker/aep/upstream/state.ts'
import { NO_TRIES } from '../../src/worker/outbox/delivery/attempt-outcome.ts'
import { eraseMatching } from '../../src/worker/outbox/erase-matching.ts'
import { expire } from '../../src/worker/outbox/expire.ts'
import { redrive } from '../../src/worker/outbox/redrive.ts'
import type { ListFilter, ParkedState, StoredError } from '../../src/worker/outbox/state.ts'
import { Arrivals } from '../../src/worker/outbox/storage/arrivals.ts'
import { LedgerStore } from '../../src/worker/outbox/storage/ledger.ts'
import { ParkedEvents } from '../../src/worker/outbox/storage/parked.ts'
import { EventReader } from '../../src/worker/outbox/storage/reader.ts'
import { EventStore } from '../../src/worker/outbox/storage/store.ts'
import type { FailedTry } from '../../src/worker/outbox/storage/tries.ts'
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
  fc.record({ do: fc.constant('hashes' as const) }),
)
type Action = typeof action extends fc.Arbitrary<infer Each> ? Each : never

const body = new TextEncoder().encode(
  JSON.stringify({ visitor: { UUID: 'visitor-1' }, message: 'valid today' }),
)
const idOf = (index: number) => String(index).repeat(64)
const kindOf = (index: number) =>
  index % 2 === 0 ? ('feedback' as const) : ('unanswered' as const)
const receivedAtOf = (index: number) => (index + 1) * 1_000

function failedTry(error: StoredError): FailedTry {
  return {
    ...NO_TRIES,
    attempts: 1,
    triedAt: 1,
    nextAt: null,
    askedToWait: false,
    error,
    answer: null,
  }
}

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

it('they equal a GROUP BY over what is set aside, and every filter finds what it names, after any sequence', async () => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const { sql } = storage
    const reader = new EventReader(sql)
    const parked = new ParkedEvents(sql)
    const ledger = new LedgerStore(storage)
    const index = { link() {}, unlink() {}, settle() {}, count() {} }
    const store = new EventStore(sql, ledger, reader, () => INITIAL_UPSTREAM, index)
    const arrivals = new Arrivals(sql, store, index)
    const rows = (query: string) => sql.exec(query).toArray()

    function act(step: Action): void {
      if (step.do === 'hashes') sql.exec("UPDATE parked SET hashes = 'x'")
      else if (step.do === 'expire') expire('shard', reader, store, receivedAtOf(step.event))
      else if (step.do === 'redrive' || step.do === 'delete') {
        const request = {
          filter: step.filter,
          ids: null,
          dryRun: false,
          after: -1,
          limit: step.limit,
        }
        const matching = rows('SELECT * FROM parked ORDER BY position').filter((row) =>
          isMatched(row, step.filter),
        )
        const positions = matching.map(({ position }) => position).slice(0, step.limit)
        expect(parked.positions(step.filter, -1, step.limit)).toEqual(positions)
        const deps = { store, reader, parked }
        const page =
          step.do === 'delete'
            ? eraseMatching(request, deps)
            : redrive(
                request,
                deps,
                () => undefined,
                () => false,
              )
        expect(page.matched).toBe(positions.length)
      } else change(step)
    }

    function change(step: Extract<Action, { event: number }>): void {
      const id = idOf(step.event)
      const place = reader.find(id)
      if (step.do === 'put') {
        const request = {
          id,
          kind: kindOf(step.event),
          receivedAt: receivedAtOf(step.event),
          body,
          state: step.state,
          parts: [],
          attempt: null,
          error: null,
          upstream: INITIAL_UPSTREAM,
        }
        arrivals.put([{ request, tried: step.state === 'pending' ? null : failedTry(step.error) }])
      } else if (!place) return
      else if (step.do === 'erase') store.erase(place)
      else if (step.do === 'park' && place.state === 'pending') {
        store.park(place.position, step.state, failedTry(step.error))
      } else if (step.do === 'take back' && place.state === 'dead') {
        store.takeBackRefusals([place.position], 5)
      }
    }

    fc.assert(
      fc.property(fc.array(action, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
        for (const table of ['pending', 'parked', 'tries', 'causes'])
          sql.exec(`DELETE FROM ${table}`)
        sql.exec(
          'UPDATE ledger SET accepted = 0, delivered = 0, dead = 0, quarantined = 0, erased = 0',
        )
        for (const step of steps) {
          act(step)
          expect(rows('SELECT state, code, path, kind, count FROM causes')).toEqual(
            rows(`SELECT state, code, path, kind, COUNT(*) AS count FROM parked
              GROUP BY state, code, path, kind ORDER BY state, code, path, kind`),
          )
          // Of the life of a group: at least as wide as those of the events that are left.
          expect(
            rows(`SELECT * FROM parked JOIN causes USING (state, code, path, kind)
              WHERE received_at < first_at OR received_at > last_at`),
          ).toEqual([])
          const { dead, quarantined } = ledger.read()
          const counted = parked.causes().reduce((sum, { count }) => sum + count, 0)
          expect(counted).toBe(dead + quarantined)
        }
      }),
      { numRuns: 150 },
    )
  })
})
