import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/worker/config/config.ts'

const RAW = {
  AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/inlet',
  AEP_FLOW_ID: 'flow',
  WEBHOOK_KEYS: 'a-webhook-key-of-some-length',
}

const alertsWith = (variables: Record<string, unknown>) => {
  const { alerts, problems, destination } = parseConfig({ ...RAW, ...variables })
  return { ...alerts, problems, relays: destination !== null }
}

describe('ALERT_WEBHOOK_URL', () => {
  it('is a Slack-compatible webhook, wherever it is', () => {
    const url = 'https://hooks.slack.com/services/T/B/x'
    expect(alertsWith({ ALERT_WEBHOOK_URL: url }).webhook).toEqual({ service: 'slack', url })
    const local = 'http://127.0.0.1:9000/hook'
    expect(alertsWith({ ALERT_WEBHOOK_URL: local }).webhook?.url).toBe(local)
  })

  it.each([
    'https://events.pagerduty.com/v2/enqueue?routing_key=KEY',
    'https://events.pagerduty.com/integration/KEY/enqueue',
  ])('is PagerDuty Events v2 by its host: %s', (url) => {
    expect(alertsWith({ ALERT_WEBHOOK_URL: url }).webhook).toEqual({
      service: 'pagerduty',
      url: 'https://events.pagerduty.com/v2/enqueue',
      routingKey: 'KEY',
    })
  })

  it('keeps to its region', () => {
    const url = 'https://events.eu.pagerduty.com/v2/enqueue?routing_key=KEY'
    expect(alertsWith({ ALERT_WEBHOOK_URL: url }).webhook?.url).toBe(
      'https://events.eu.pagerduty.com/v2/enqueue',
    )
  })

  it.each([
    'http://hooks.slack.com/services/T/B/x',
    'hooks.slack.com/services/T/B/x',
    'https://events.pagerduty.com/v2/enqueue',
    'https://user:password@hooks.slack.com/x',
  ])('closes only its own door where it is no such address: %s', (url) => {
    expect(alertsWith({ ALERT_WEBHOOK_URL: url })).toMatchObject({
      webhook: null,
      relays: true,
      problems: [{ variable: 'ALERT_WEBHOOK_URL', expected: expect.not.stringContaining('slack') }],
    })
  })
})

it('ALERT_HEARTBEAT_URL and PUBLIC_URL are addresses too', () => {
  expect(
    alertsWith({ ALERT_HEARTBEAT_URL: 'https://hc-ping.com/id', PUBLIC_URL: 'https://r.example/' }),
  ).toMatchObject({ heartbeatUrl: 'https://hc-ping.com/id', publicUrl: 'https://r.example' })
  const wrong = alertsWith({ ALERT_HEARTBEAT_URL: 'ftp://x', PUBLIC_URL: 'http://r.example' })
  expect(wrong).toMatchObject({ heartbeatUrl: null, publicUrl: null, relays: true })
  expect(wrong.problems.map(({ variable }) => variable)).toEqual([
    'ALERT_HEARTBEAT_URL',
    'PUBLIC_URL',
  ])
})

it('ALERT_AGE_MINUTES is 15 unless it is set; one that does not parse is a number like the others', () => {
  expect(alertsWith({}).ageMs).toBe(900_000)
  expect(alertsWith({ ALERT_AGE_MINUTES: '2' }).ageMs).toBe(120_000)
  expect(alertsWith({ ALERT_AGE_MINUTES: 'soon' })).toMatchObject({ ageMs: 900_000, relays: false })
})
