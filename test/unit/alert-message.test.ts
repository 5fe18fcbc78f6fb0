/** Where a message of the alerts leads to, and which relay it is about. */
import { describe, expect, it } from 'vitest'
import type { AlertName } from '../../src/worker/alerts/alerts.ts'
import type { Notice } from '../../src/worker/alerts/evaluate.ts'
import { bodiesFor } from '../../src/worker/alerts/message.ts'
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
      `See \`wrangler.toml\`, \`npm run recover -- --env staging --url ${URL}\`.`,
    )
    expect(text).toContain(
      '`npm run tail -- --env staging --errors`, `npx wrangler secret put X --env staging` or `/chatlio end`',
    )
  })

  it.each([null, 'production', 'Prod', 'shop in Europe'])(
    'names none where it is called %s',
    (environment) => {
      const text = textFor(environment)
      expect(text).toContain(`See \`wrangler.toml\`, \`npm run recover -- --url ${URL}\`.`)
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
