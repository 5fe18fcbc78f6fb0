import { expect, it } from 'vitest'
import { outboxOf } from '../../../src/worker/outbox/outbox.ts'

const named = (place: string) => ({ getByName: (name: string) => `${place} ${name}` })
const OUTBOX = {
  ...named('anywhere'),
  jurisdiction: (jurisdiction: string) => named(jurisdiction),
}
const env = { OUTBOX } as unknown as Env

it('is the object of the jurisdiction that is set, and another one without', () => {
  expect(outboxOf(env, 'eu')).toBe('eu shard-0')
  expect(outboxOf(env)).toBe('anywhere shard-0')
})
