/** Points for Analytics Engine: one a webhook, one a run of the outbox; nothing without a binding. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { metricsOf } from '../../src/worker/metrics.ts'
import { Outbox } from '../../src/worker/outbox/outbox.ts'
import { type Clock, conversation, eachTest, KEY, shard, startRelay } from './support.ts'

type Point = { indexes: string[]; blobs: string[]; doubles: number[] }

let aep: LocalAdobe
let clock: Clock

eachTest((world) => {
  ;({ aep, clock } = world)
})

function startDataset() {
  const points: Point[] = []
  return { points, writeDataPoint: (point: Point) => void points.push(point) }
}

describe('a webhook', () => {
  it('is one point: what it was, what became of it, how long it took', async () => {
    const dataset = startDataset()
    const relay = startRelay({ METRICS: dataset })
    const body = JSON.stringify(conversation())
    await relay.post('feedback', body)
    aep.script({ type: 'status', status: 503 })
    await relay.post('transcript', { messages: [] })
    await relay.post('auto', 'no JSON')
    await relay.send('/chatlio/nothing?key=wrong', { method: 'POST' })
    expect(dataset.points).toEqual([
      {
        indexes: ['feedback'],
        blobs: ['webhook', 'feedback', 'forwarded', '200', '200', '', ''],
        doubles: [expect.any(Number), body.length],
      },
      {
        indexes: ['transcript'],
        blobs: ['webhook', 'transcript', 'buffered', '202', '503', 'unavailable', ''],
        doubles: [expect.any(Number), 15],
      },
      {
        indexes: ['auto'],
        blobs: ['webhook', 'auto', 'quarantined', '400', '', 'malformed-json', ''],
        doubles: [expect.any(Number), 7],
      },
      {
        indexes: ['auto'],
        blobs: ['webhook', 'auto', 'refused', '401', '', 'unauthorized', ''],
        doubles: [expect.any(Number), 0],
      },
    ])
  })

  it('is answered all the same when the point cannot be written', async () => {
    const broken = {
      writeDataPoint: () => {
        throw new Error('too many points')
      },
    }
    const { body } = await startRelay({ METRICS: broken }).post('feedback', conversation())
    expect(body.status).toBe('forwarded')
  })
})

describe('a run of the outbox', () => {
  it('is one point with what it sent and what is left', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await startRelay().post('feedback', conversation())
    aep.clearRules()
    clock.advance(120_000)
    const dataset = startDataset()
    await runInDurableObject(shard(), async (_, state) => {
      await new Outbox(state, { ...env, METRICS: dataset } as Env).alarm()
    })
    expect(dataset.points).toEqual([
      { indexes: ['drain'], blobs: ['drain', 'shard-0', ''], doubles: [1, 1, 0, 0, 0, 0, 0] },
    ])
  })
})

it('a point fits the limits of Analytics Engine, and holds neither a key nor an id', async () => {
  const dataset = startDataset()
  const { body } = await startRelay({ METRICS: dataset }).post('feedback', conversation())
  metricsOf({ METRICS: dataset })?.drain({
    shard: 'shard-255',
    code: 'unknown-answer',
    sent: 5_000,
    accepted: 1,
    deferred: 2,
    rejected: 3,
    held: 4,
    pending: 5,
    oldestAgeMs: null,
  })
  for (const { indexes, blobs, doubles } of dataset.points) {
    expect(indexes).toHaveLength(1)
    expect(new TextEncoder().encode(indexes[0]).length).toBeLessThanOrEqual(96)
    expect(blobs.length).toBeLessThanOrEqual(20)
    expect(doubles.length).toBeLessThanOrEqual(20)
    expect(blobs).not.toContain(body.id)
    expect(blobs.join()).not.toContain(KEY)
  }
})
