/** What the operators' page says, before it is written as HTML. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ownPage, signInAddress } from '../../src/worker/admin/page/addresses.ts'
import { hoursOf } from '../../src/worker/admin/page/overview.tsx'
import { filterWords, readable, type Situation, sayHow } from '../../src/worker/admin/page/words.ts'
import type { AlertName } from '../../src/worker/alerts/alerts.ts'
import type { Outcome } from '../../src/worker/outbox/event.ts'

describe('the sentence about the relay', () => {
  type Brief = Pick<Situation, 'reasons' | 'alerts' | 'landed'> &
    Pick<Situation['status'], 'pending' | 'hold'> &
    Pick<Situation['config'], 'problems'> & {
      letsIn: boolean
      need: number
      hasCome: boolean
      alertsGo: boolean
    }
  const well: Brief = {
    reasons: [],
    pending: 0,
    hold: null,
    letsIn: true,
    need: 0,
    alerts: [],
    hasCome: true,
    alertsGo: true,
    problems: [],
    landed: null,
  }
  const webhook = { service: 'slack', url: 'https://alerts.example' } as const
  const say = (brief: Brief) => {
    const { pending, hold, letsIn, need, hasCome, alertsGo, problems, ...rest } = brief
    const counts = { accepted: hasCome ? 1 : 0, forwarded: 0, pending, dead: need, quarantined: 0 }
    const webhookKeys = letsIn ? [{ key: 'a key', name: null }] : []
    return sayHow({
      ...rest,
      status: { ...counts, hold, keys: [] },
      config: { webhookKeys, problems, alerts: { webhook: alertsGo ? webhook : null } },
    })
  }
  const since = '2026-11-24T10:02:00.000Z'
  const landed = { available: true, why: null, causes: [], missing: 0, since: 0, keptNone: 0 }
  const fires = (name: AlertName) => ({ name, state: 'firing' as const, since, lastError: null })
  const hold = (reason: string) => ({ hold: { reason, since } })
  const CAUSE = { code: 'DCVS-1105-400', pointer: '/timestamp', firstAt: 0, lastAt: 0 }

  /** Each thing that a person has to do something about, alone; the gravest first. */
  const TROUBLES: readonly [string, Partial<Brief>, string][] = [
    ['webhooks lost', { alerts: [fires('lost')] }, 'Webhooks were answered 503.'],
    ['webhooks refused', { alerts: [fires('refused')] }, 'Webhooks are refused.'],
    ['no key', { letsIn: false }, 'No webhook key is usable.'],
    ['no storage', { reasons: ['storage'] }, 'The outbox does not answer.'],
    [
      'nothing kept',
      { landed: { ...landed, keptNone: 4 } },
      'AEP keeps nothing of what it accepts: of 4 records none is in the dataset.',
    ],
    [
      'some refused afterwards',
      { landed: { ...landed, causes: [{ ...CAUSE, count: 2 }] } },
      'AEP accepted 2 records and refused them afterwards (DCVS-1105-400 at /timestamp).',
    ],
    [
      'some refused afterwards, for two reasons',
      {
        landed: {
          ...landed,
          causes: [
            { ...CAUSE, count: 11 },
            { ...CAUSE, count: 2, pointer: '' },
          ],
        },
      },
      'AEP accepted 13 records and refused them afterwards (mostly DCVS-1105-400 at /timestamp).',
    ],
    ['a hold', hold('credentials'), 'AEP refuses our credentials. Nothing is pending.'],
    [
      'an outage',
      { reasons: ['upstream'], pending: 5 },
      'AEP does not take events at the moment. 5 events pending.',
    ],
    ['age', { reasons: ['expiring'] }, 'Stored events will be erased soon, for their age.'],
    ['events to look at', { need: 11 }, 'Relaying. 11 events need a person.'],
    ['a pause', hold('paused'), 'Relaying is paused. Nothing is pending.'],
    ['nothing yet', { hasCome: false }, 'Relaying. No webhook has come yet.'],
    ['silence', { alerts: [fires('silence')] }, 'Relaying. No webhook comes.'],
    [
      'a setting',
      { problems: [{ variable: 'WEBHOOK_KEYS', expected: '20 characters or more' }] },
      'Relaying. 1 setting cannot be used.',
    ],
    ['no address for alerts', { alertsGo: false }, 'Relaying. Alerts go nowhere.'],
    [
      'an alert that was not heard',
      { alerts: [{ ...fires('drift'), state: 'pending', lastError: 'status 404' }] },
      'Relaying. An alert was not heard.',
    ],
    [
      'missing transcripts',
      { alerts: [fires('incomplete')] },
      'Relaying. Transcripts do not come.',
    ],
    [
      'drift',
      { alerts: [fires('drift')] },
      'Relaying. Chatlio sends something else than documented.',
    ],
    [
      'counts that cannot be read',
      { landed: { ...landed, why: 'No permission.' } },
      'Relaying. What AEP has kept is not known.',
    ],
  ]

  it.each(TROUBLES)('is not green, and says what is to be done: %s', (_, trouble, sentence) => {
    const said = say({ ...well, ...trouble })
    expect(said.sentence).toBe(sentence)
    expect(said.tone).not.toBe('ok')
    for (const { action, meaning } of said.parts) expect(action ?? meaning).toBeTruthy()
  })

  it('is green when there is nothing of that', () => {
    expect(say(well)).toEqual({
      tone: 'ok',
      sentence: 'Relaying. Nothing is pending.',
      need: 0,
      parts: [],
    })
    expect(say({ ...well, pending: 1_234 })).toMatchObject({
      tone: 'ok',
      sentence: 'Relaying. 1,234 events pending.',
    })
  })

  it('names all of it in the order of its weight, whatever comes together', () => {
    const troubles = fc.subarray([...TROUBLES.keys()], { minLength: 1 })
    fc.assert(
      fc.property(troubles, (chosen) => {
        const together = chosen.map((index) => TROUBLES[index]?.[1] ?? {})
        const situation: Brief = {
          ...Object.assign({}, well, ...together),
          alerts: together.flatMap(({ alerts = [] }) => alerts),
          reasons: together.flatMap(({ reasons = [] }) => reasons),
        }
        const { sentence, parts, tone } = say(situation)
        const places = parts.map(({ title }) => sentence.indexOf(title))
        expect(places).not.toContain(-1)
        expect(places).toEqual(places.toSorted((a, b) => a - b))
        expect(tone).toBe(parts.some((part) => part.tone === 'bad') ? 'bad' : 'warn')
        const order = parts.map(({ title }) =>
          TROUBLES.findIndex(([, , alone]) => alone.includes(title)),
        )
        expect(order).toEqual(order.toSorted((a, b) => a - b))
      }),
    )
  })

  it('says how many are pending where nothing is sent', () => {
    const many = { need: 3, pending: 12, alertsGo: false }
    expect(say({ ...well, ...many, ...hold('rejecting') }).sentence).toBe(
      'AEP refuses every event. 12 events pending. 3 events need a person. Alerts go nowhere.',
    )
    expect(say({ ...well, ...many, ...hold('paused') }).sentence).toBe(
      '3 events need a person. Relaying is paused. 12 events pending. Alerts go nowhere.',
    )
    expect(say({ ...well, ...many }).sentence).toBe(
      'Relaying. 12 events pending. 3 events need a person. Alerts go nowhere.',
    )
  })

  it.each(['credentials', 'configuration', 'rejecting', 'paused', 'a reason of tomorrow'])(
    'says what a hold for %s means, and what to do',
    (reason) => {
      const [first] = say({ ...well, ...hold(reason) }).parts
      expect(first).toMatchObject({ since, meaning: expect.stringContaining('nothing is lost') })
      expect(first?.action).not.toBe('')
    },
  )

  it('names the command for each secret that cannot be used, once, and the file for the others', () => {
    const wrong = (variable: string) => ({ variable, expected: 'a value' })
    const actionOf = (...names: string[]) =>
      say({ ...well, problems: names.map(wrong) }).parts[0]?.action
    expect(actionOf('WEBHOOK_KEYS', 'WEBHOOK_KEYS', 'ADMIN_TOKEN', 'REDACT')).toBe(
      'Set it anew: `npx wrangler secret put WEBHOOK_KEYS`, `npx wrangler secret put ADMIN_TOKEN`. Correct `wrangler.toml`, then `npm run deploy`.',
    )
    expect(actionOf('REDACT')).toBe('Correct `wrangler.toml`, then `npm run deploy`.')
  })

  it('says once that no key is usable, and why, and not that nothing has come', () => {
    const problems = [
      { variable: 'WEBHOOK_KEYS', expected: '20 characters or more (key 1 is too short)' },
      { variable: 'REDACT', expected: 'card' },
    ]
    const said = say({ ...well, letsIn: false, hasCome: false, problems })
    expect(said.sentence).toBe('No webhook key is usable. 1 setting cannot be used.')
    expect(said.parts[0]?.meaning).toContain('key 1 is too short')
    expect(said.parts[1]?.meaning).not.toContain('WEBHOOK_KEYS')
  })

  it('speaks of an outage only while nothing is on hold', () => {
    expect(say({ ...well, reasons: ['upstream'], ...hold('rejecting') }).parts).toHaveLength(1)
  })
})

describe('the last 24 hours', () => {
  const now = Date.parse('2026-11-24T10:30:00Z')
  const at = (hour: number) => `2026-11-24T${String(hour).padStart(2, '0')}:00:00.000Z`
  const point = (hour: number, outcome: Outcome, count: number) => ({
    at: at(hour),
    outcome,
    count,
  })
  const idle = { pending: 0, oldestPendingAt: null }

  it('are 24, the last of them not over', () => {
    const hours = hoursOf([], idle, now)
    expect(hours).toHaveLength(24)
    expect([hours[0]?.at, hours[23]?.at]).toEqual(['2026-11-23T11:00:00.000Z', at(10)])
  })

  it('add up outcomes over kinds, and leave out what is older', () => {
    const outcomes: Outcome[] = [
      'forwarded',
      'forwarded',
      'buffered',
      'dead-lettered',
      'quarantined',
      'refused',
    ]
    const older = { ...point(9, 'forwarded', 9), at: '2026-11-23T10:00:00.000Z' }
    const points = [...outcomes.map((outcome) => point(9, outcome, 2)), older]
    const hours = hoursOf(points, idle, now)
    expect(hours[22]?.counts).toEqual([4, 2, 4, 0, 2])
    expect(hours.flatMap(({ counts }) => counts).reduce((sum, each) => sum + each)).toBe(12)
  })

  it('show a backlog that came and went', () => {
    const points = [point(7, 'buffered', 5), point(8, 'buffered', 3), point(9, 'drained', 6)]
    const waiting = { pending: 2, oldestPendingAt: '2026-11-24T08:10:00.000Z' }
    const hours = hoursOf(points, waiting, now)
    expect(hours.slice(-5).map((hour) => hour.pending)).toEqual([0, 5, 8, 2, 2])
  })

  it('invent none before the oldest that waits: dead events that wait again were not stored as such', () => {
    const points = [point(10, 'dead-lettered', 2)]
    const waiting = { pending: 2, oldestPendingAt: '2026-11-24T10:10:00.000Z' }
    expect(hoursOf(points, waiting, now).map((hour) => hour.pending)).toEqual([
      ...Array.from({ length: 23 }, () => 0),
      2,
    ])
  })

  it('invent none before anything happened: what was delivered is known sooner than what was stored', () => {
    const points = [point(10, 'drained', 13)]
    const waiting = hoursOf(points, idle, now).map((hour) => hour.pending)
    expect(waiting).toEqual(Array.from({ length: 24 }, () => 0))
  })

  it('keep a backlog that waits since before them, in hours without a webhook', () => {
    const waiting = { pending: 3, oldestPendingAt: '2026-11-20T10:10:00.000Z' }
    expect(hoursOf([], waiting, now).map((hour) => hour.pending)).toEqual(
      Array.from({ length: 24 }, () => 3),
    )
  })
})

describe('a filter in words', () => {
  it.each([
    ['state', 'dead', 'dead'],
    ['kind', 'feedback', 'kind: feedback'],
    ['code', 'rejected', 'why: AEP refused it'],
    ['path', '-', 'place: none known'],
    ['path', '#/a-b', 'place: #/a-b'],
    ['day', '2026-11-30', 'day (UTC): 2026-11-30'],
    ['day', '2026-11-30T09', 'hour (UTC): 2026-11-30 09:00'],
    ['id', '0a1b', 'id begins with: 0a1b'],
    ['source', 'shop', 'source: shop'],
    ['ids', '3', '3 by id'],
    ['code', 'too-large', 'why: Too large for AEP'],
  ])('%s=%s', (name, value, words) => {
    expect(filterWords([name, value])).toBe(words)
  })
})

describe('stored bytes', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  it('are shown as they stand', () => {
    for (const text of ['', ' {"a":1.0}\n\t', 'é 漢字 👩‍👩‍👧', '<b>&amp;</b>']) {
      expect(readable(bytes(text))).toBe(text)
    }
  })

  it('with what cannot be seen as symbols', () => {
    expect(readable(bytes('\u0000\u0007\r\u007f\u0085\u202e\ufeff\u2028'))).toBe(
      '␀␇␍\\u{7f}\\u{85}\\u{202e}\\u{feff}\\u{2028}',
    )
  })

  it('begin with the mark that they begin with', () => {
    expect(readable(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b]))).toBe('\\u{feff}{')
  })

  it('are not guessed at when they are not UTF-8', () => {
    expect(readable(new Uint8Array([0x61, 0xff]))).toBeNull()
  })
})

describe('the way back after signing in', () => {
  it('leads to a page of ours, whatever was asked for', () => {
    const ours = 'https://relay.example'
    const part = fc.constantFrom(
      '/',
      '//',
      '\\',
      '..',
      '.',
      'admin',
      'ui',
      'evil.example',
      ':',
      '@',
      '?',
      '#',
      '%2e',
      '\t',
      'https:',
      'javascript:',
    )
    const wild = fc.oneof(
      fc.string(),
      fc.array(part).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(wild, fc.boolean(), (text, prefixed) => {
        const { origin, pathname } = new URL(ownPage(prefixed ? `/admin/ui/${text}` : text), ours)
        expect(origin).toBe(ours)
        expect(pathname).toMatch(/^\/admin($|\/ui\/)/)
      }),
    )
  })

  it('keeps the filters of a list', () => {
    expect(
      signInAddress('GET', 'https://relay.example/admin/ui/events?state=dead&kind=feedback'),
    ).toBe('/admin/sign-in?next=%2Fadmin%2Fui%2Fevents%3Fstate%3Ddead%26kind%3Dfeedback')
  })

  it('does not lead to what was to be done by a form', () => {
    expect(signInAddress('POST', 'https://relay.example/admin/ui/pause')).toBe('/admin/sign-in')
  })
})
