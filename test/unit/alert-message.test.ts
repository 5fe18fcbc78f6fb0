/** A message of the alerts: what it says in each receiver's form, where it leads to, and which relay it is about. */
import { describe, expect, it } from 'vitest'
import type { AlertName } from '../../src/worker/alerts/alerts.ts'
import type { Notice } from '../../src/worker/alerts/evaluate.ts'
import { bodiesFor, testBodies } from '../../src/worker/alerts/message.ts'
import type { RelayName } from '../../src/worker/alerts/words.ts'

const URL = 'https://relay.example.com'
const sent = (sender: Partial<RelayName> = {}): RelayName => {
  return { publicUrl: URL, environment: null, ...sender }
}
const notice = (name: AlertName, said: Partial<Notice> = {}): Notice => ({
  name,
  event: 'firing',
  keys: [],
  since: 0,
  durationMs: null,
  urgent: false,
  title: 'Title',
  facts: [],
  meaning: 'Meaning.',
  action: 'Action.',
  ...said,
})
const linkOf = (names: AlertName[], publicUrl: string | null = URL) => {
  const webhook = { service: 'slack', url: 'https://hooks.example.com/x' } as const
  const [body] = bodiesFor(
    webhook,
    names.map((name) => notice(name)),
    sent({ publicUrl }),
  ) as [{ text: string }]
  return /https:\S+$/.exec(body.text)?.[0] ?? null
}

describe('the link of a message', () => {
  it.each([
    ['queue-age', `${URL}/admin/ui/events?state=pending`],
    ['drift', `${URL}/admin/ui/drift`],
    ['hold', `${URL}/admin`],
    ['rejected', `${URL}/admin`],
  ] as const)('leads to the page about %s', (name, link) => {
    expect(linkOf([name])).toBe(link)
  })

  it('leads to the overview when the message is about several things', () => {
    expect(linkOf(['drift', 'queue-age'])).toBe(`${URL}/admin`)
  })

  it('is left out while PUBLIC_URL is not set', () => {
    expect(linkOf(['drift'], null)).toBeNull()
  })

  it('differs for PagerDuty from alert to alert, while the key of an incident stays what it was', () => {
    const webhook = { service: 'pagerduty', url: 'https://x', routingKey: 'k' } as const
    const [event] = bodiesFor(webhook, [notice('drift')], sent()) as [
      { dedup_key: string; links: { href: string }[] },
    ]
    expect(event.dedup_key).toBe(`chatlio-edge-relay/${URL}/admin/drift`)
    expect(event.links[0]?.href).toBe(`${URL}/admin/ui/drift`)
  })
})

describe('a message of a relay that is not called production', () => {
  const said = notice('hold', {
    meaning: 'See `wrangler.toml`, `npm run recover`.',
    action: 'Run `npm run tail -- --errors`, `npx wrangler secret put X` or `/chatlio end`.',
  })
  const textFor = (environment: string | null) => {
    const webhook = { service: 'slack', url: 'https://hooks.example.com/x' } as const
    const [body] = bodiesFor(webhook, [said], sent({ environment })) as [{ text: string }]
    return body.text
  }

  it('says so, and names its environment in every command', () => {
    const text = textFor('staging')
    expect(text).toContain('Alert: Title (staging)')
    expect(text).toContain(
      `See \`wrangler.toml\`, \`npm run recover -- --env staging --url ${URL} --env-file .adobe-staging.env\`.`,
    )
    expect(text).toContain(
      '`npm run tail -- --env staging --errors`, `npx wrangler secret put X --env staging` or `/chatlio end`',
    )
  })

  it.each([null, 'production', 'Prod', 'shop in Europe'])(
    'names none where it is called %s',
    (environment) => {
      const text = textFor(environment)
      expect(text).toContain(
        `See \`wrangler.toml\`, \`npm run recover -- --url ${URL} --env-file .adobe.env\`.`,
      )
      expect(text).toContain(said.action)
    },
  )

  it('is another incident of PagerDuty than that of production, without an address too', () => {
    const webhook = { service: 'pagerduty', url: 'https://x', routingKey: 'k' } as const
    const keys = [null, 'staging'].map((environment) => {
      const [event] = bodiesFor(webhook, [said], sent({ publicUrl: null, environment }))
      return (event as { dedup_key: string }).dedup_key
    })
    expect(keys).toEqual(['chatlio-edge-relay//hold', 'chatlio-edge-relay/staging/hold'])
  })
})

const SLACK = { service: 'slack', url: 'https://hooks.example.com/x' } as const
const PAGERDUTY = { service: 'pagerduty', url: 'https://x', routingKey: 'k' } as const
const OVERDUE = notice('queue-age', {
  urgent: true,
  since: Date.UTC(2026, 10, 24, 10, 0),
  facts: ['3 events wait', 'a < b & c > d'],
})
const OVER = notice('drift', {
  ...{ event: 'resolved', durationMs: 90 * 60_000, since: Date.UTC(2026, 10, 24, 10, 0) },
  ...{ meaning: '', action: '' },
})

describe('a message to Slack', () => {
  const [said, ended] = [
    [
      '*Alert: Title* (queue-age)',
      'Since 2026-11-24 10:00 UTC.',
      '• 3 events wait',
      '• a &lt; b &amp; c &gt; d',
      'Meaning.',
      '*What to do:* Action.',
    ].join('\n'),
    '*Resolved: Title* (drift)\nIt lasted 1 h 30 min, since 2026-11-24 10:00 UTC.',
  ]
  const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } })

  it('says each alert in a section and in its text, and leads to the page', () => {
    expect(bodiesFor(SLACK, [OVERDUE, OVER], sent())).toEqual([
      {
        text: `${said}\n\n${ended}\n\n${URL}/admin`,
        blocks: [said, ended, `<${URL}/admin|Open the relay's page>`].map(section),
      },
    ])
  })

  it('leads nowhere while PUBLIC_URL is not set', () => {
    expect(bodiesFor(SLACK, [OVER], sent({ publicUrl: null }))).toEqual([
      { text: ended, blocks: [section(String(ended))] },
    ])
  })

  it('says that an alert goes on', () => {
    const [body] = bodiesFor(SLACK, [notice('hold', { event: 'still' })], sent())
    expect((body as { text: string }).text).toContain('*Still: Title* (hold)')
  })

  it('is as long as Slack and Google Chat show', () => {
    const long = notice('hold', { facts: ['x'.repeat(5_000)] })
    const [body] = bodiesFor(SLACK, [long], sent()) as [
      { text: string; blocks: [{ text: { text: string } }] },
    ]
    expect(body.text).toHaveLength(4_000)
    expect(body.blocks[0].text.text).toHaveLength(2_900)
  })
})

describe('an event of PagerDuty', () => {
  it('opens an incident for each alert, and ends it', () => {
    expect(bodiesFor(PAGERDUTY, [OVERDUE, OVER], sent())).toEqual([
      {
        routing_key: 'k',
        dedup_key: `chatlio-edge-relay/${URL}/admin/queue-age`,
        event_action: 'trigger',
        payload: {
          summary: 'Title',
          source: `${URL}/admin`,
          severity: 'critical',
          component: 'queue-age',
          timestamp: '2026-11-24T10:00:00.000Z',
          custom_details: {
            since: '2026-11-24 10:00 UTC',
            facts: ['3 events wait', 'a < b & c > d'],
            meaning: 'Meaning.',
            action: 'Action.',
          },
        },
        links: [{ href: `${URL}/admin/ui/events?state=pending`, text: "The relay's page" }],
      },
      {
        routing_key: 'k',
        dedup_key: `chatlio-edge-relay/${URL}/admin/drift`,
        event_action: 'resolve',
      },
    ])
  })

  it('is a warning where nothing is urgent, names the relay while PUBLIC_URL is not set, and cuts its summary', () => {
    const long = notice('hold', { title: 'x'.repeat(2_000) })
    const [event] = bodiesFor(PAGERDUTY, [long], sent({ publicUrl: null }))
    expect(event).toMatchObject({
      payload: { severity: 'warning', source: 'chatlio-edge-relay', summary: 'x'.repeat(1_000) },
    })
    expect(event).not.toHaveProperty('links')
  })
})

describe('a test of the alerts', () => {
  const NOW = Date.UTC(2026, 10, 24, 10, 0)

  it('says to Slack that it is one', () => {
    const [body, ...others] = testBodies(SLACK, sent({ publicUrl: null }), NOW)
    expect(others).toEqual([])
    expect((body as { text: string }).text).toBe(
      [
        '*Alert: This is a test of the relay’s alerts* (test)',
        'Since 2026-11-24 10:00 UTC.',
        '• Nothing is wrong',
        'Real alerts come to the same place.',
        '*What to do:* Nothing.',
      ].join('\n'),
    )
  })

  it('opens an incident of PagerDuty that is no alarm, and ends it', () => {
    expect(testBodies(PAGERDUTY, sent(), NOW)).toMatchObject([
      {
        event_action: 'trigger',
        dedup_key: `chatlio-edge-relay/${URL}/admin/test`,
        payload: { severity: 'warning', summary: 'This is a test of the relay’s alerts' },
        links: [{ href: `${URL}/admin` }],
      },
      { event_action: 'resolve', dedup_key: `chatlio-edge-relay/${URL}/admin/test` },
    ])
  })
})
