/** The index of stored events finds what a search through all of them finds, whatever came, left and was late. */
import { runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import { INDEX_AFTER_MS, INDEX_FROM, INDEXED_TOGETHER } from '../../src/worker/limits.ts'
import type { HashedEvent } from '../../src/worker/outbox/list.ts'
import { EventIndex } from '../../src/worker/outbox/records/event-index.ts'
import { hasHash } from '../../src/worker/outbox/records/lookup.ts'
import { mixed } from '../../src/worker/outbox/records/packed.ts'
import { seeded } from './oracle.ts'
import { eachTest, outbox } from './support.ts'

eachTest(() => undefined)

const PER_MS = 4096
const PEOPLE = 40
/** The beginning of a hash is what a filter holds. */
const personOf = (number: number) =>
  mixed(number).toString(16).padStart(8, '0') + number.toString(16).padStart(24, '0')

/** Events in memory, and how many rows were looked at. */
class Stored {
  readonly events = new Map<number, HashedEvent>()
  read = 0

  search(hash: string, from: number, before: number, limit: number): number[] {
    return [...this.events.values()]
      .filter((event) => hasHash(event.hashes, hash))
      .map(({ position }) => position)
      .filter((position) => position >= from && position < before)
      .sort((a, b) => b - a)
      .slice(0, limit)
  }

  *hashed(after: number, before: number, limit: number) {
    const found = [...this.events.values()]
      .filter(({ position }) => position > after && position < before)
      .sort((a, b) => a.position - b.position)
      .slice(0, limit)
    for (const event of found) {
      this.read += 1
      yield event
    }
  }
}

it.each([1, 2, 3])('seed %i', async (seed) => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const random = seeded(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    const stored = new Stored()
    let index = new EventIndex(storage.sql, stored)
    let now = 1_000_000
    const add = (ms: number) => {
      const position = ms * PER_MS + below(PER_MS)
      const hashes = `v${personOf(below(PEOPLE))} e${personOf(below(PEOPLE))}`
      stored.events.set(position, { position, hashes })
      index.stored([{ position, hashes }])
    }
    const check = () => {
      for (let person = 0; person < PEOPLE; person += 1) {
        const hash = personOf(person)
        const from = below(2) === 0 ? 0 : (now - 300_000) * PER_MS
        const before = below(2) === 0 ? Number.MAX_SAFE_INTEGER : (now - 30_000) * PER_MS
        const limit = below(2) === 0 ? 10_000 : 1 + below(30)
        expect(index.find(hash, from, before, limit)).toEqual(
          stored.search(hash, from, before, limit),
        )
      }
    }
    for (let round = 0; round < 12; round += 1) {
      for (let each = 0; each < 400; each += 1) {
        now += below(400)
        add(now)
      }
      // Clocks are set back, and requests take long.
      for (let each = 0; each < 5; each += 1) add(1_000_000 + below(now - 1_000_000))
      for (const { position } of [...stored.events.values()]) {
        if (below(16) === 0) stored.events.delete(position)
      }
      check()
      storage.transactionSync(() => index.sweep(now))
      check()
      if (below(3) === 0) index = new EventIndex(storage.sql, stored)
    }
    const rows = () => storage.sql.exec('SELECT last FROM event_index').toArray().length
    expect(rows()).toBeGreaterThan(0)
    stored.read = 0
    index.find(personOf(PEOPLE + 1), 0, Number.MAX_SAFE_INTEGER, 50)
    // Only what is not indexed yet: what one sweep leaves, and what came since.
    expect(stored.read).toBeLessThan(INDEX_FROM + INDEX_AFTER_MS / 100)
    stored.events.clear()
    index.sweep(now)
    expect(rows()).toBe(0)
  })
})

it('takes a few thousand events to a row', async () => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const stored = new Stored()
    const index = new EventIndex(storage.sql, stored)
    for (let position = 0; position < INDEXED_TOGETHER + INDEX_FROM; position += 1) {
      stored.events.set(position, { position, hashes: `e${personOf(position)}` })
    }
    const cursors = () => storage.sql.exec('SELECT last FROM event_index').toArray()
    index.sweep(INDEX_AFTER_MS)
    expect(cursors()).toHaveLength(0)
    index.sweep(INDEX_AFTER_MS + 1_000_000)
    expect(cursors()).toHaveLength(2)
    stored.read = 0
    expect(index.find(personOf(7), 0, Number.MAX_SAFE_INTEGER, 50)).toEqual([7])
    expect(stored.read).toBe(1)
  })
})

it('finds what a sweep that failed has not indexed', async () => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const stored = new Stored()
    const index = new EventIndex(storage.sql, stored)
    for (let position = 0; position < INDEXED_TOGETHER + INDEX_FROM; position += 1) {
      stored.events.set(position, { position, hashes: `e${personOf(position)}` })
    }
    const { hashed } = stored
    stored.hashed = function* (after, before, limit) {
      if (after >= 0) throw new Error('no more today')
      yield* hashed.call(stored, after, before, limit)
    }
    const sweep = () => storage.transactionSync(() => index.sweep(INDEX_AFTER_MS + 1_000_000))
    expect(sweep).toThrow('no more today')
    stored.hashed = hashed
    index.stored([{ position: 5, hashes: `e${personOf(5)}` }])
    expect(index.find(personOf(7), 0, Number.MAX_SAFE_INTEGER, 50)).toEqual([7])
  })
})
