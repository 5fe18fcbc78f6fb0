/**
 * Alerts at one run of the cron trigger: asks every shard, says what there is to say, remembers it, pings the heartbeat.
 *
 * Promises: never throws and never takes long, whatever a shard, the webhook or the heartbeat does: every request has a
 * deadline, and nothing of delivery waits for it. One message a run at most; one that fails is said at the next.
 * Accepts: a run that ends between sending and remembering says it twice. While shard 0, which remembers, does not
 * answer, only this isolate knows that it has said so.
 */
import type { Fetch } from '../aep/client/post.ts'
import type { Config } from '../config/config.ts'
import { within } from '../lib/timeout.ts'
import { STORE_TIMEOUT_MS } from '../limits.ts'
import { logLine } from '../log.ts'
import type { OutboxStub, Shards } from '../outbox/shards.ts'
import { type Evaluation, evaluate } from './evaluate.ts'
import { bodiesFor } from './message.ts'
import type { Facts } from './rules.ts'
import { ping, post } from './send.ts'
import {
  type AlertStates,
  afterFailure,
  afterSent,
  INITIAL_STATES,
  readStates,
  withNobodyToTell,
} from './state.ts'

export type AlertDeps = {
  config: Config
  shards: Shards
  fetch: Fetch
  now: () => number
  /** Whether `/health` says `ok`. */
  isWell: () => Promise<boolean>
}

/** States that shard 0 could not keep: only what was said of the storage. */
const unsaved = new WeakMap<Shards, AlertStates>()

export async function runAlerts(deps: AlertDeps): Promise<void> {
  try {
    const facts = await gather(deps)
    await alert(facts, deps)
    if (!facts.shards.includes(null)) await heartbeat(deps)
  } catch (thrown) {
    logLine('error', { event: 'alerts-failed', name: nameOf(thrown) })
  }
}

async function gather({ config, shards, now }: AlertDeps): Promise<Facts> {
  const at = now()
  const [answers, drift] = await Promise.all([
    Promise.all(
      Array.from({ length: shards.count }, (_, index) =>
        asked(shards, index, (shard) => shard.alertFacts()),
      ),
    ),
    asked(shards, 0, (shard) => shard.driftSummary()),
  ])
  const { alerts, retentionMs, webhookKeys } = config
  const letsIn = webhookKeys.length > 0
  return { now: at, shards: answers, letsIn, drift, ageMs: alerts.ageMs, retentionMs }
}

/** `null` when a shard has not answered, asked twice: one that a deploy restarts fails the first time. */
async function asked<Result>(
  shards: Shards,
  index: number,
  ask: (shard: OutboxStub) => Promise<Result>,
): Promise<Result | null> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      return await within(STORE_TIMEOUT_MS, ask(shards.at(index)))
    } catch (thrown) {
      logLine('warn', { event: 'alerts-failed', shard: `shard-${index}`, name: nameOf(thrown) })
    }
  }
  return null
}

async function alert(facts: Facts, deps: AlertDeps): Promise<void> {
  const { shards, config } = deps
  const kept = await asked(shards, 0, async (shard) => readStates(await shard.alertStates()))
  const held = unsaved.get(shards)
  const before = kept && held ? withStorage(kept, held) : (kept ?? held ?? INITIAL_STATES)
  const found = evaluate(facts, before)
  const evaluation = kept ? found : onStorage(found, before)
  const states = await say(evaluation, facts.now, deps)
  for (const { name, event } of evaluation.notices) {
    const sent = config.alerts.webhook !== null && states.alerts[name].lastSentAt === facts.now
    const level = event === 'resolved' ? 'log' : 'warn'
    logLine(level, { event: 'alert', name, state: event, sent })
  }
  if (kept) await save(states, facts, deps)
  else unsaved.set(shards, states)
}

function withStorage(states: AlertStates, other: AlertStates): AlertStates {
  return { ...states, alerts: { ...states.alerts, storage: other.alerts.storage } }
}

/** Without its memory a run cannot tell what has been said: it speaks of the storage alone. */
function onStorage({ states, notices }: Evaluation, before: AlertStates): Evaluation {
  return {
    states: withStorage(before, states),
    notices: notices.filter(({ name }) => name === 'storage'),
  }
}

async function say(
  { states, notices }: Evaluation,
  now: number,
  { config, fetch }: AlertDeps,
): Promise<AlertStates> {
  const { webhook, publicUrl } = config.alerts
  if (!webhook) return withNobodyToTell(states)
  if (notices.length === 0) return states
  const error = await post(webhook, bodiesFor(webhook, notices, publicUrl), fetch)
  if (error === null) return afterSent(states, notices, now)
  logLine('warn', { event: 'alert-not-sent', reason: error })
  return afterFailure(states, notices, error)
}

async function save(states: AlertStates, facts: Facts, { shards }: AlertDeps): Promise<void> {
  const json = JSON.stringify(states)
  const saved = await asked(shards, 0, async (shard) => {
    await shard.saveAlertStates(json)
    return true
  })
  if (!saved) return
  unsaved.delete(shards)
  await Promise.all(
    facts.shards.map(async (shard, index) => {
      const upTo = shard?.refusals.upTo ?? 0
      if (upTo > 0) await asked(shards, index, (each) => each.refusalsCounted(upTo))
    }),
  )
}

async function heartbeat({ config, fetch, isWell }: AlertDeps): Promise<void> {
  const { heartbeatUrl } = config.alerts
  if (!heartbeatUrl) return
  const error = await ping(heartbeatUrl, await isWell(), fetch)
  if (error !== null) logLine('warn', { event: 'heartbeat-failed', reason: error })
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : 'unknown'
}
