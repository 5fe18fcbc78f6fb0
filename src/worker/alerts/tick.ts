/**
 * Alerts at one run of the cron trigger: asks the outbox for facts, sends one message, saves the states, pings the heartbeat.
 *
 * Promises: never throws and never takes long, whatever the outbox, the webhook or the heartbeat does: every request has a
 * deadline and follows no redirect, and no delivery waits for it. One message a run at most; one that fails is sent at the next.
 * Failures are logged in our words, which repeat neither the address (it is a secret) nor the answer.
 * Accepts: a run that ends between sending and saving sends it twice. While the outbox, which keeps the states, does not
 * answer, only this isolate knows what was sent.
 */
import type { Fetch } from '../aep/client/post.ts'
import type { Config } from '../config/config.ts'
import type { AlertWebhook } from '../config/destination.ts'
import type { Rim } from '../lib/rim.ts'
import { Deadline, isTimeout, type Timers, within } from '../lib/timeout.ts'
import { ALERT_TIMEOUT_MS, STORE_TIMEOUT_MS } from '../limits.ts'
import { logLine, nameOf } from '../log.ts'
import type { OutboxStub } from '../outbox/outbox.ts'
import { ALERT_NAMES } from './alerts.ts'
import {
  type AlertStates,
  afterFailure,
  afterSent,
  type Evaluation,
  evaluate,
  INITIAL_STATES,
  type Notice,
  readStates,
  withoutUnsent,
} from './evaluate.ts'
import { bodiesFor } from './message.ts'

type AlertDeps = {
  config: Config
  outbox: () => OutboxStub
  fetch: Fetch
  now: () => number
  timers: Timers
  /** Whether `/health` says `ok`. */
  isWell: () => Promise<boolean>
}

/**
 * States that the outbox could not keep, by the outbox of the isolate. `instead`: of the text that it kept then; `null` where
 * it did not answer, and only the state of `storage` counts.
 */
type Unsaved = { states: AlertStates; instead: { kept: string | null } | null }
const unsaved = new WeakMap<AlertDeps['outbox'], Unsaved>()

export async function runAlerts(deps: AlertDeps): Promise<void> {
  try {
    const answers = await alert(deps)
    if (answers) await heartbeat(deps)
  } catch (thrown) {
    logLine('error', { event: 'alerts-failed', name: nameOf(thrown) })
  }
}

/** Whether the outbox answered. */
async function alert(deps: AlertDeps): Promise<boolean> {
  const { config, outbox, timers } = deps
  const now = deps.now()
  const known = await asked(outbox, timers, (stub) => stub.alertFacts())
  const kept = known && readStates(known.states)
  const unkept = unsaved.get(outbox)
  const before = known && kept && unkept ? joined(kept, known.states, unkept) : kept
  const { retentionMs, webhookKeys, alerts } = config
  const { ageMs, silenceMs } = alerts
  const facts = { now, letsIn: webhookKeys.length > 0, ageMs, silenceMs, retentionMs }
  const last = before ?? unkept?.states ?? INITIAL_STATES
  const evaluation = evaluate({ ...facts, outbox: known }, last)
  const states = await send(evaluation, now, deps)
  for (const { name, event } of alerts.webhook ? evaluation.notices : changes(last, states)) {
    const sent = alerts.webhook !== null && states.alerts[name].lastSentAt === now
    logLine(event === 'resolved' ? 'log' : 'warn', { event: 'alert', name, state: event, sent })
  }
  if (!known) {
    unsaved.set(outbox, { states, instead: unkept?.instead ?? null })
    return false
  }
  const saved = await asked(outbox, timers, async (stub) => {
    await stub.saveAlertStates(JSON.stringify(states), known.refusals)
    return true
  })
  // It answers and cannot write: what was sent must not be sent again at each run.
  if (saved) unsaved.delete(outbox)
  else unsaved.set(outbox, { states, instead: { kept: known.states } })
  return true
}

/** For the log when no message is sent: the beginning and the end of each alert, once. */
function changes({ alerts: before }: AlertStates, { alerts: after }: AlertStates) {
  return ALERT_NAMES.flatMap((name): Pick<Notice, 'name' | 'event'>[] => {
    const [was, is] = [before[name].state, after[name].state]
    if (is === 'firing' && was !== 'firing') return [{ name, event: 'firing' }]
    return is === 'ok' && was === 'firing' ? [{ name, event: 'resolved' }] : []
  })
}

/** `null` when the outbox has not answered, asked twice: one that a deploy restarts fails the first time. */
async function asked<Result>(
  outbox: AlertDeps['outbox'],
  timers: Timers,
  ask: (stub: OutboxStub) => Promise<Result>,
): Promise<Result | null> {
  for (let attempts = 0; attempts < 2; attempts += 1) {
    try {
      return await within(STORE_TIMEOUT_MS, ask(outbox()), timers)
    } catch (thrown) {
      logLine('warn', { event: 'alerts-failed', name: nameOf(thrown) })
    }
  }
  return null
}

/** What the outbox keeps, and what it could not, unless another isolate has made it keep something newer. */
function joined(kept: AlertStates, text: string | null, { states, instead }: Unsaved): AlertStates {
  if (instead?.kept === text) return { ...kept, alerts: states.alerts }
  return { ...kept, alerts: { ...kept.alerts, storage: states.alerts.storage } }
}

async function send(
  { states, notices }: Evaluation,
  now: number,
  { config, fetch, timers }: AlertDeps,
): Promise<AlertStates> {
  const { alerts, environment } = config
  const { webhook, publicUrl } = alerts
  if (!webhook) return withoutUnsent(states, ALERT_NAMES)
  if (notices.length === 0) return states
  const bodies = bodiesFor(webhook, notices, { publicUrl, environment })
  const error = await postAlert(webhook, bodies, { fetch, timers })
  if (error === null) return afterSent(states, notices, now)
  logLine('warn', { event: 'alert-not-sent', reason: error })
  return afterFailure(states, notices, error)
}

async function heartbeat({ config, fetch, timers, isWell }: AlertDeps): Promise<void> {
  const { heartbeatUrl } = config.alerts
  if (!heartbeatUrl) return
  const error = await ping(heartbeatUrl, await isWell(), { fetch, timers })
  if (error !== null) logLine('warn', { event: 'heartbeat-failed', reason: error })
}

type Network = Pick<Rim, 'fetch' | 'timers'>

/** `null`: all of them got through; otherwise why one did not. The rest is then not sent. */
export async function postAlert(
  { url }: AlertWebhook,
  bodies: readonly unknown[],
  network: Network,
): Promise<string | null> {
  for (const body of bodies) {
    const error = await request(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      },
      network,
    )
    if (error !== null) return error
  }
  return null
}

/** `/fail` behind the path says that the relay runs, and is not well. */
export function ping(url: string, isWell: boolean, network: Network): Promise<string | null> {
  const address = new URL(url)
  if (!isWell) address.pathname = `${address.pathname.replace(/\/+$/, '')}/fail`
  return request(address.href, { method: 'GET' }, network)
}

async function request(
  url: string,
  init: RequestInit,
  { fetch, timers }: Network,
): Promise<string | null> {
  const deadline = new Deadline(ALERT_TIMEOUT_MS, { aborts: true, timers })
  try {
    const { signal } = deadline
    const response = await deadline.limit(fetch(url, { ...init, redirect: 'manual', signal }))
    // Never read: the answer may be anything.
    await response.body?.cancel()
    if (response.ok) return null
    return `it answered ${response.status}`
  } catch (thrown) {
    return isTimeout(thrown)
      ? `it did not answer within ${ALERT_TIMEOUT_MS / 1_000} s`
      : 'no connection to it'
  } finally {
    deadline.end()
  }
}
