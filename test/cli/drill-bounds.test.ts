/** The drill's own bounds: that they see a relay which asks too often or delivers late, and not a machine that is slow. */
import { describe, expect, it } from 'vitest'
import type { LakeRecord, RequestRecord } from '../../src/local-adobe/streaming/lake.ts'
import { judgeBounds, type Seen } from '../drill/bounds.ts'

/** Webhooks that are stored, one each 100 ms, and take so long. */
const webhooks = (tookMs: number) =>
  Array.from({ length: 100 }, (_, index) => {
    const at = index * 100
    return { id: `w${index}`, at, endedAt: at + tookMs, status: 202 }
  })

const asked = (every: number, from: number, to: number, status = 503) =>
  Array.from({ length: Math.ceil((to - from) / every) }, (_, index) => {
    return { at: from + index * every, status } as RequestRecord
  })

function breaches(seen: Partial<Seen>): string[] {
  const sent = { webhooks: [], requests: [], tokenRequests: [], lake: [] }
  const nothing = { ...sent, starts: [], looks: [], said: [] }
  return judgeBounds({ ...nothing, eventOf: ({ _id }) => String(_id), ...seen }).breaches
}

describe('an AEP that fails', () => {
  it('may be asked eight times a second, and no more', () => {
    expect(breaches({ webhooks: webhooks(20), requests: asked(130, 0, 9_000) })).toEqual([])
    expect(breaches({ webhooks: webhooks(20), requests: asked(100, 0, 9_000) }).join()).toMatch(
      /^1\d requests within 1000 ms to an AEP that failed/,
    )
  })

  it('may be asked by those under way, for longer where a webhook takes longer', () => {
    const requests = [...asked(20, 0, 2_000), ...asked(500, 2_000, 9_000)]
    expect(breaches({ webhooks: webhooks(1_500), requests })).toEqual([])
    expect(breaches({ webhooks: webhooks(400), requests })).toHaveLength(1)
    // A slow machine excuses nobody who goes on.
    expect(breaches({ webhooks: webhooks(1_500), requests: asked(20, 0, 9_000) })).toHaveLength(1)
  })
})

describe('an event that AEP would take', () => {
  const late = (ms: number) => ({
    webhooks: [{ id: 'a', at: 1_000, endedAt: 1_010, status: 202 }],
    lake: [{ _id: 'a', at: 1_000 + ms } as LakeRecord],
  })

  it('waits ten seconds at most', () => {
    expect(breaches(late(9_000))).toEqual([])
    expect(breaches(late(11_000))).toEqual(['a came 11000 ms after AEP had failed anything'])
  })

  it('is excused from the moment at which AEP last failed anything', () => {
    const requests = asked(1, 5_000, 5_001)
    expect(breaches({ ...late(11_000), requests })).toEqual([])
  })
})

describe('a hold and an outage', () => {
  const said = (line: object) => [{ at: 2_000, line: { ...line } }]
  const batch = (items: number[]) => [
    { at: 1_900, status: 207, ids: ['a-0', 'a-1', 'a-2'], items } as unknown as RequestRecord,
  ]
  const hold = said({ event: 'hold', reason: 'configuration', code: 'configuration' })
  const outage = said({ event: 'upstream', status: 'failing', code: 'unknown-answer' })

  it('may have their ground in what a batch is answered of one of its messages, and in how many it is answered', () => {
    expect(breaches({ said: hold, requests: batch([200, 404, 200]) })).toEqual([])
    expect(breaches({ said: outage, requests: batch([200, 200]) })).toEqual([])
    expect(breaches({ said: outage, requests: batch([]) })).toEqual([])
  })

  it('may have theirs in a 200 that could not be read', () => {
    const requests = [{ at: 1_900, status: 200, cut: 'reset' } as RequestRecord]
    expect(breaches({ said: outage, requests })).toEqual([])
  })

  it('need none where AEP or a token was late, which the machine may be at fault for', () => {
    const failing = { event: 'upstream', status: 'failing' }
    expect(breaches({ said: said({ ...failing, code: 'timeout' }) })).toEqual([])
    expect(breaches({ said: said({ ...failing, code: 'token' }) })).toEqual([])
    expect(breaches({ said: said({ ...failing, code: 'token', imsStatus: 500 }) })).toHaveLength(1)
  })

  it('have none in a batch that is accepted', () => {
    for (const each of [hold, outage]) {
      expect(breaches({ said: each, requests: batch([200, 200, 200]) })).toHaveLength(1)
    }
  })
})
