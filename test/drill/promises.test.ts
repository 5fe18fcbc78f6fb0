/** What both judges, the drill and the simulation, are told by the same functions: each speaks where it must, and only there. */
import { describe, expect, it } from 'vitest'
import { holdFault, type Notice, noticeFaults } from '../promises.ts'
import { judgeBounds } from './bounds.ts'

describe('a hold that begins', () => {
  const NOW = 1_000_000
  const TIMES = { foundedMs: 5_000, heardMs: 1_000, quietMs: 45_000 }
  const answers = (...of: [agoMs: number, status: number][]) =>
    of.map(([ago, status]) => ({ at: NOW - ago, status }))
  const NOTHING = 'though AEP has said nothing of the kind'

  it.each([
    ['rejecting', answers([3_000, 400], [100, 422]), null],
    [
      'rejecting',
      answers([30_000, 200], [100, 400]),
      'rejecting, though AEP took one 30000 ms before',
    ],
    ['rejecting', answers([60_000, 200], [100, 400]), null],
    ['rejecting', answers([500, 200], [100, 400]), null],
    ['rejecting', answers([100, 503]), `rejecting, ${NOTHING}`],
    ['credentials', answers([100, 401]), null],
    ['credentials', answers([6_000, 401]), `credentials, ${NOTHING}`],
    ['configuration', answers([100, 404]), null],
    ['configuration', answers([100, 400]), `configuration, ${NOTHING}`],
    ['upstream', answers([100, 0]), null],
    ['upstream', answers([100, 429]), null],
    ['upstream', answers([100, 200], [-100, 503]), `upstream, ${NOTHING}`],
    ['paused', [], null],
  ])('for %s, after %j: %s', (reason, said, fault) => {
    expect(holdFault({ reason, at: NOW }, said, TIMES)).toBe(fault)
  })
})

describe('an outage that begins while AEP answers well', () => {
  const breaches = (code: string) =>
    judgeBounds({
      webhooks: [],
      requests: [],
      tokenRequests: [],
      lake: [],
      eventOf: () => null,
      starts: [],
      looks: [],
      said: [{ at: 1_000, line: { event: 'upstream', status: 'failing', code } }],
    }).breaches

  it('is a breach of the drill, but for a timeout, which the machine may have caused', () => {
    expect(breaches('unavailable')).toEqual([
      'outage: upstream, though AEP has said nothing of the kind',
    ])
    expect(breaches('network')).toHaveLength(1)
    expect(breaches('timeout')).toEqual([])
  })
})

describe('a log of alerts', () => {
  const log = (...of: [name: string, state: Notice['state'], at: number][]) =>
    of.map(([name, state, at]) => ({ name, state, at }))
  const REPEAT_MS = 100

  it.each([
    [log(['hold', 'firing', 0], ['lost', 'firing', 1], ['hold', 'resolved', 2]), []],
    [log(['hold', 'firing', 0], ['hold', 'still', 100], ['hold', 'resolved', 101]), []],
    [log(['hold', 'firing', 0], ['hold', 'firing', 9]), ['alert hold firing: raised twice']],
    [log(['hold', 'firing', 0], ['hold', 'still', 9]), ['alert hold still: repeated too soon']],
    [
      log(['hold', 'firing', 0], ['hold', 'resolved', 1], ['hold', 'resolved', 2]),
      ['alert hold resolved: resolved, and was not raised'],
    ],
  ])('%j: %j', (notices, faults) => {
    expect(noticeFaults(notices, REPEAT_MS)).toEqual(faults)
  })
})
