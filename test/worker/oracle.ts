/**
 * The oracle: events with known ids go in through HTTP, every 2xx is an obligation, and everything that can go wrong
 * does, by a seeded script: AEP's answers, evictions, aborts, other isolates. Then all faults end, and each obligation
 * must be found in AEP, whole, and nothing else. (With the real process killed: `test/drill`.)
 */
import { abortAllDurableObjects, evictDurableObject } from 'cloudflare:test'
import { expect } from 'vitest'
import type { Answer } from '../../src/local-adobe/answer.ts'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { type Clock, conversation, drainAll, drainOnce, outbox, startRelay } from './support.ts'

/** mulberry32: small, seeded, good enough for choosing faults. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

type OracleOptions = {
  aep: LocalAdobe
  clock: Clock
  seed: number
  rounds: number
  /** Faults of this format beside the common ones. */
  faults: readonly Answer[]
  /** What AEP holds of an event, as posted. */
  messageOf: (record: unknown) => unknown
}

const COMMON: readonly Answer[] = [
  { type: 'normal' },
  { type: 'normal' },
  { type: 'status', status: 500 },
  { type: 'status', status: 503, retryAfter: 20 },
  { type: 'status', status: 429 },
  { type: 'status', status: 401 },
  { type: 'status', status: 403 },
  { type: 'status', status: 404 },
  { type: 'reset' },
  { type: 'reset', recorded: true },
  { type: 'reset', where: 'body', recorded: true },
  { type: 'stall' },
  { type: 'stall', where: 'body', recorded: true },
  { type: 'garbage', garbage: 'html' },
  { type: 'garbage', garbage: 'truncated', recorded: true },
]

export async function oracle(options: OracleOptions): Promise<void> {
  const { aep, clock, seed, rounds, messageOf } = options
  const random = seeded(seed)
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item
  const faults = [...COMMON, ...options.faults]
  const isolates = ['60', '60', '0'].map((FORWARD_TIMEOUT_MS) => startRelay({ FORWARD_TIMEOUT_MS }))
  const sent = new Map<string, string>()
  const obligations = new Set<string>()

  for (let round = 0; round < rounds; round += 1) {
    aep.clearRules()
    aep.rule({ answer: pick(faults), probability: random(), seed: round })
    const posts = Array.from({ length: 1 + Math.floor(random() * 5) }, async () => {
      const payload = conversation()
      const { status, body } = await pick(isolates).post('feedback', payload)
      sent.set(String(body.id), payload.message)
      if (status < 300) obligations.add(String(body.id))
    })
    await Promise.all(posts)
    clock.advance(Math.floor(random() * 20_000))
    const chance = random()
    if (chance < 0.15) await evictDurableObject(outbox())
    else if (chance < 0.25) await abortAllDurableObjects()
    if (random() < 0.6) await drainOnce(clock)
  }

  aep.clearRules()
  await drainAll(clock, 2_000)

  const landed = new Map(aep.lake.map(({ _id, record }) => [String(_id), messageOf(record)]))
  expect([...obligations].filter((id) => !landed.has(id))).toEqual([])
  expect([...landed.keys()].filter((id) => !sent.has(id))).toEqual([])
  for (const [id, message] of landed) expect(message).toBe(sent.get(id))
  expect(obligations.size).toBeGreaterThan(rounds)
  const { accepted, ...ledger } = await outbox().status()
  expect(ledger).toMatchObject({
    delivered: accepted,
    pending: 0,
    dead: 0,
    quarantined: 0,
    erased: 0,
  })
  const fresh = await startRelay().post('feedback', conversation())
  expect(fresh.body.status).toBe('forwarded')
}
