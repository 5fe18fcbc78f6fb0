/** Where a message of the alerts leads to. */
import { describe, expect, it } from 'vitest'
import type { AlertName } from '../../src/worker/alerts/alerts.ts'
import type { Notice } from '../../src/worker/alerts/evaluate.ts'
import { bodiesFor } from '../../src/worker/alerts/message.ts'

const URL = 'https://relay.example.com'
const notice = (name: AlertName): Notice => ({
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
})
const linkOf = (names: AlertName[], publicUrl: string | null = URL) => {
  const webhook = { service: 'slack', url: 'https://hooks.example.com/x' } as const
  const [body] = bodiesFor(webhook, names.map(notice), publicUrl) as [{ text: string }]
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
    const [event] = bodiesFor(webhook, [notice('drift')], URL) as [
      { dedup_key: string; links: { href: string }[] },
    ]
    expect(event.dedup_key).toBe(`chatlio-edge-relay/${URL}/admin/drift`)
    expect(event.links[0]?.href).toBe(`${URL}/admin/ui/drift`)
  })
})
