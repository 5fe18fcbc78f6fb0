/** What the operators' page says, before it is written as HTML. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ownPage, signInAddress } from '../../src/worker/admin/page/addresses.ts'
import { hoursOf } from '../../src/worker/admin/page/chart.tsx'
import { type Situation, sentences } from '../../src/worker/admin/page/overview.tsx'
import { readable } from '../../src/worker/admin/page/words.ts'

describe('the sentence about the relay', () => {
  const well: Situation = {
    reasons: [],
    pending: 0,
    hold: null,
    letsIn: true,
    need: 0,
    firing: [],
    hasCome: true,
    alertsGo: true,
    landed: null,
  }
  const since = '2026-11-24T10:02:00.000Z'
  const titles = (situation: Partial<Situation>) =>
    sentences({ ...well, ...situation }).map(({ title }) => title)

  it('is one, whatever happens, and the gravest comes first', () => {
    expect(titles({})).toEqual(['Relaying. Nothing is waiting.'])
    expect(titles({ pending: 1_234 })).toEqual(['Relaying. 1,234 events waiting.'])
    expect(
      titles({
        reasons: ['storage', 'paused', 'upstream', 'expiring'],
        hold: { reason: 'paused', since },
        pending: 1,
        letsIn: false,
      }),
    ).toEqual([
      'The outbox does not answer',
      'No webhook key is usable',
      'Stored events will be erased soon, for their age',
      'Relaying is paused. 1 event waiting.',
    ])
    const firing = [{ name: 'lost' as const, since }]
    expect(titles({ firing, need: 2, reasons: ['storage'] })).toEqual([
      'Webhooks were answered 503',
      'The outbox does not answer',
      '2 events need a person.',
    ])
  })

  it.each(['credentials', 'configuration', 'rejecting', 'paused', 'a reason of tomorrow'])(
    'says what a hold for %s means, and what to do',
    (reason) => {
      const [first] = sentences({ ...well, hold: { reason, since } })
      expect(first).toMatchObject({ since, meaning: expect.stringContaining('nothing is lost') })
      expect(first?.action).not.toBe('')
    },
  )

  it('is green only when nothing is to be done', () => {
    const said = (situation: Partial<Situation>) => {
      const [first] = sentences({ ...well, ...situation })
      return `${first?.tone}: ${first?.title}`
    }
    expect(said({})).toBe('ok: Relaying. Nothing is waiting.')
    expect(said({ need: 11 })).toBe('warn: Relaying. 11 events need a person.')
    expect(said({ need: 1, pending: 2 })).toBe(
      'warn: Relaying. 2 events waiting. 1 event needs a person.',
    )
    expect(said({ hasCome: false })).toBe(
      'warn: Relaying. Nothing is waiting. No webhook has come yet.',
    )
    expect(said({ alertsGo: false })).toBe('warn: Relaying. Nothing is waiting. Alerts go nowhere.')
    const silence = { name: 'silence' as const, since }
    expect(said({ firing: [silence] })).toBe(
      'warn: Relaying. Nothing is waiting. No webhook comes.',
    )
  })

  it('speaks of an outage only while nothing is on hold', () => {
    expect(titles({ reasons: ['upstream'] })).toEqual([
      'AEP does not take events at the moment. Nothing is waiting.',
    ])
    expect(titles({ reasons: ['upstream'], hold: { reason: 'rejecting', since } })).toHaveLength(1)
  })
})

describe('the last 24 hours', () => {
  const now = Date.parse('2026-11-24T10:30:00Z')
  const at = (hour: number) => `2026-11-24T${String(hour).padStart(2, '0')}:00:00.000Z`
  const idle = { pending: 0, oldestPendingAt: null }

  it('are 24, the last of them not over', () => {
    const hours = hoursOf([], idle, now)
    expect(hours).toHaveLength(24)
    expect([hours[0]?.at, hours[23]?.at]).toEqual(['2026-11-23T11:00:00.000Z', at(10)])
  })

  it('add up outcomes over kinds, and leave out what is older', () => {
    const points = ['forwarded', 'forwarded', 'buffered', 'dead-lettered', 'quarantined', 'refused']
    const hours = hoursOf(
      [
        ...points.map((outcome) => ({ at: at(9), outcome, count: 2 })),
        { at: '2026-11-23T10:00:00.000Z', outcome: 'forwarded', count: 9 },
      ],
      idle,
      now,
    )
    expect(hours[22]?.counts).toEqual([4, 2, 4, 2])
    expect(hours.flatMap(({ counts }) => counts).reduce((sum, each) => sum + each)).toBe(12)
  })

  it('show a backlog that came and went', () => {
    const points = [
      { at: at(7), outcome: 'buffered', count: 5 },
      { at: at(8), outcome: 'buffered', count: 3 },
      { at: at(9), outcome: 'drained', count: 6 },
    ]
    const waiting = { pending: 2, oldestPendingAt: '2026-11-24T08:10:00.000Z' }
    const hours = hoursOf(points, waiting, now)
    expect(hours.slice(-5).map((hour) => hour.waiting)).toEqual([0, 5, 8, 2, 2])
  })

  it('invent none before the oldest that waits: dead events that wait again were not stored as such', () => {
    const points = [{ at: at(10), outcome: 'dead-lettered', count: 2 }]
    const waiting = { pending: 2, oldestPendingAt: '2026-11-24T10:10:00.000Z' }
    expect(hoursOf(points, waiting, now).map((hour) => hour.waiting)).toEqual([
      ...Array.from({ length: 23 }, () => 0),
      2,
    ])
  })

  it('invent none before anything happened: what was delivered is known sooner than what was stored', () => {
    const points = [{ at: at(10), outcome: 'drained', count: 13 }]
    const waiting = hoursOf(points, idle, now).map((hour) => hour.waiting)
    expect(waiting).toEqual(Array.from({ length: 24 }, () => 0))
  })

  it('keep a backlog that waits since before them, in hours without a webhook', () => {
    const waiting = { pending: 3, oldestPendingAt: '2026-11-20T10:10:00.000Z' }
    expect(hoursOf([], waiting, now).map((hour) => hour.waiting)).toEqual(
      Array.from({ length: 24 }, () => 3),
    )
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
    )
    const wild = fc.oneof(
      fc.string(),
      fc.webUrl(),
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
