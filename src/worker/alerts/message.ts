/**
 * One message with every alert of a run of the cron trigger, in the form that its receiver takes:
 * a Slack-compatible incoming webhook (Slack, Mattermost, Google Chat, Discord with `/slack`), or PagerDuty Events v2,
 * where each alert is an incident that ends with it. And how it gets there.
 *
 * Promises: every request has a deadline and follows no redirect. A failure is in our words, which repeat neither the address
 * (it is a secret) nor the answer.
 */
import type { AlertWebhook } from '../config/destination.ts'
import { isTimeout, within } from '../lib/bounded.ts'
import type { Rim } from '../lib/rim.ts'
import { ALERT_TIMEOUT_MS } from '../limits.ts'
import { ALERTS, type Alert } from './alerts.ts'
import type { Notice } from './evaluate.ts'
import { duration, forRelay, moment, type RelayName } from './words.ts'

/** What a message is about: an alert, or a test of them. */
type Sendable = Omit<Notice, 'name'> & { name: string }

const SOURCE = 'chatlio-edge-relay'

/** Slack refuses a section over 3,000 characters. */
const MAX_SECTION = 2_900

/** Slack cuts a text at 40,000 characters, Google Chat at 4,096. */
const MAX_TEXT = 4_000

/** PagerDuty cuts a summary at 1,024 characters. */
const MAX_SUMMARY = 1_000

/** JSON bodies to post, in order: one, or for PagerDuty one an alert. */
export function bodiesFor(
  webhook: AlertWebhook,
  all: readonly Sendable[],
  relay: RelayName,
): unknown[] {
  const { environment, publicUrl } = relay
  const notices = all.map(({ title, meaning, action, ...rest }): Sendable => {
    return {
      ...rest,
      title: environment === null ? title : `${title} (${environment})`,
      meaning: forRelay(meaning, relay),
      action: forRelay(action, relay),
    }
  })
  return webhook.service === 'pagerduty'
    ? notices.map((notice) => pagerDutyEvent(notice, webhook.routingKey, relay))
    : [slackMessage(notices, publicUrl)]
}

function overviewOf(publicUrl: string | null): string | null {
  return publicUrl && `${publicUrl}/admin`
}

/** The page about these: the overview if they have none in common. */
function linkTo(names: readonly string[], publicUrl: string | null): string | null {
  const alerts: Partial<Record<string, Alert>> = ALERTS
  const [place = '', ...others] = new Set(names.map((name) => alerts[name]?.place ?? ''))
  const overview = overviewOf(publicUrl)
  return overview && overview + (others.length > 0 ? '' : place)
}

const MARKS: Record<Sendable['event'], string> = {
  firing: 'Alert',
  still: 'Still',
  resolved: 'Resolved',
}

function headline({ event, title }: Sendable): string {
  return `${MARKS[event]}: ${title}`
}

function when({ event, since, durationMs }: Sendable): string {
  return event === 'resolved' && durationMs !== null
    ? `It lasted ${duration(durationMs)}, since ${moment(since)}.`
    : `Since ${moment(since)}.`
}

/** All of it in `text` too: Google Chat and Discord show no blocks. */
function slackMessage(notices: readonly Sendable[], publicUrl: string | null) {
  const link = linkTo(
    notices.map(({ name }) => name),
    publicUrl,
  )
  const texts = notices.map(paragraphs)
  return {
    text: [...texts, ...(link ? [link] : [])].join('\n\n').slice(0, MAX_TEXT),
    blocks: [...texts.map(section), ...(link ? [section(`<${link}|Open the relay's page>`)] : [])],
  }
}

function paragraphs(notice: Sendable): string {
  const { name, facts, meaning, action } = notice
  const details = facts.map((fact) => `• ${escaped(fact)}`)
  return [
    `*${escaped(headline(notice))}* (${name})`,
    [when(notice), ...details].join('\n'),
    escaped(meaning),
    action === '' ? '' : `*What to do:* ${escaped(action)}`,
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function section(text: string) {
  return { type: 'section', text: { type: 'mrkdwn', text: text.slice(0, MAX_SECTION) } }
}

/** The three characters that Slack's text gives a meaning to. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function pagerDutyEvent(notice: Sendable, routingKey: string, relay: RelayName) {
  const { publicUrl, environment } = relay
  const { name, event, title, since, urgent, facts, meaning, action } = notice
  const link = linkTo([name], publicUrl)
  // The same for all events of an incident, those of earlier versions too.
  const overview = overviewOf(publicUrl)
  const about = {
    routing_key: routingKey,
    dedup_key: `${SOURCE}/${overview ?? environment ?? ''}/${name}`,
  }
  if (event === 'resolved') return { ...about, event_action: 'resolve' }
  return {
    ...about,
    event_action: 'trigger',
    payload: {
      summary: title.slice(0, MAX_SUMMARY),
      source: overview ?? SOURCE,
      severity: urgent ? 'critical' : 'warning',
      component: name,
      timestamp: new Date(since).toISOString(),
      custom_details: { since: moment(since), facts, meaning, action },
    },
    ...(link && { links: [{ href: link, text: "The relay's page" }] }),
  }
}

/** What `POST /admin/alerts/test` sends. A PagerDuty incident is opened and ended again. */
export function testBodies(webhook: AlertWebhook, relay: RelayName, now: number): unknown[] {
  const test: Sendable = {
    name: 'test',
    event: 'firing',
    keys: [],
    since: now,
    durationMs: null,
    urgent: false,
    title: 'This is a test of the relay’s alerts',
    facts: ['Nothing is wrong'],
    meaning: 'Real alerts come to the same place.',
    action: 'Nothing.',
  }
  const ended: Sendable = { ...test, event: 'resolved', durationMs: 0 }
  const notices = webhook.service === 'pagerduty' ? [test, ended] : [test]
  return bodiesFor(webhook, notices, relay)
}

type Network = Pick<Rim, 'fetch' | 'timers'>

/** `null`: all of them got through; otherwise why one did not. The rest is then not sent. */
export async function postAlert(
  { url }: AlertWebhook,
  bodies: readonly unknown[],
  network: Network,
): Promise<string | null> {
  const headers = { 'content-type': 'application/json' }
  for (const body of bodies) {
    const error = await request(
      url,
      { method: 'POST', headers, body: JSON.stringify(body) },
      network,
    )
    if (error !== null) return error
  }
  return null
}

/** `null`: it was answered with 2xx; otherwise why not. */
export async function request(
  url: string,
  init: RequestInit,
  { fetch, timers }: Network,
): Promise<string | null> {
  const late = new AbortController()
  const asked = async () => {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: late.signal })
    // Never read: the answer may be anything.
    await response.body?.cancel()
    return response.ok ? null : `it answered ${response.status}`
  }
  try {
    return await within(ALERT_TIMEOUT_MS, asked(), timers, late)
  } catch (thrown) {
    return isTimeout(thrown)
      ? `it did not answer within ${ALERT_TIMEOUT_MS / 1_000} s`
      : 'no connection to it'
  }
}
