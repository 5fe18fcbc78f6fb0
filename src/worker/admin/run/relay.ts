/** How the relay is: status, pauses, activity, alerts, drift, the operators' log. */
import { version as packageVersion } from '../../../../package.json'
import { ALERT_NAMES } from '../../alerts/alerts.ts'
import { readStates } from '../../alerts/evaluate.ts'
import { postAlert, testBodies } from '../../alerts/message.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { DriftRow } from '../../drift/detector.ts'
import { DAY_MS } from '../../limits.ts'
import { percentile } from '../../outbox/records/activity.ts'
import type { ListedEntry } from '../../outbox/records/operator-log.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { openApi } from '../openapi.ts'
import { isoOrNull, pageOf } from './events.ts'

export async function status(services: Services): Promise<Answer<'status'>> {
  const { outbox, webhookKeys, config, version } = services
  const [{ keys, oldestPendingAt, hold, nextAttemptAt, pausedUntil, ...counts }, holders] =
    await Promise.all([outbox().status(), webhookKeys.holders()])
  const usedAt = new Map(keys.map(({ fingerprint, lastUsedAt }) => [fingerprint, lastUsedAt]))
  return {
    ...counts,
    oldestPendingAt: isoOrNull(oldestPendingAt),
    hold: hold && { reason: hold.reason, since: toIso(hold.since) },
    nextAttemptAt: isoOrNull(nextAttemptAt),
    environment: config.environment,
    version,
    destination: destinationOf(services),
    recordsPausedUntil: isoOrNull(pausedUntil),
    keys: holders.map(({ fingerprint, name }) => {
      return { fingerprint, name, lastUsedAt: isoOrNull(usedAt.get(fingerprint) ?? null) }
    }),
  }
}

/** Where events go; `null`: the configuration names nothing usable. */
export function destinationOf({ config }: Services): Answer<'status'>['destination'] {
  const { destination, readAccess } = config
  if (!destination) return null
  const { host, pathname } = new URL(destination.url)
  const known = readAccess.available ? readAccess.datasetId : null
  const { format } = destination
  const dataset = format === 'xdm' ? destination.datasetId : known
  return { host, inlet: pathname.split('/').findLast(Boolean) ?? '', format, dataset }
}

export const pause = (services: Services) => setPaused(services, true)
export const resume = (services: Services) => setPaused(services, false)

/** The status afterwards. */
async function setPaused(services: Services, paused: boolean): Promise<Answer<'status'>> {
  const { outbox, breaker, rim } = services
  const askedAt = rim.now()
  // So this isolate does not wait for its next exchange.
  breaker.update(await outbox().pause(paused), askedAt)
  return status(services)
}

/** A lower bound. `from` and `to`: epoch milliseconds; without them the last 24 hours. */
export async function activity(
  { outbox, rim }: Services,
  { step, source, to = rim.now() + 1, from = to - DAY_MS }: Input<'activity'>,
): Promise<Answer<'activity'>> {
  const rows = await outbox().activity(from, to, step)
  return {
    step,
    lowerBound: true,
    points: rows
      .filter((row) => source === undefined || row.source === source)
      .map(({ minute, kind, outcome, source, count, records, redacted, histogram }) => ({
        at: toIso(minute),
        kind,
        outcome,
        source,
        count,
        ...(records !== undefined && { records }),
        ...(redacted && { redacted }),
        p50Ms: percentile(histogram, 0.5),
        p99Ms: percentile(histogram, 0.99),
      })),
  }
}

/** The newest first. */
export async function log(services: Services, input: Input<'log'>): Promise<Answer<'log'>> {
  const { entries, cursor } = await entriesOf(services, input)
  return { entries: entries.map(({ position: _, ...entry }) => entry), cursor }
}

/** With the number of each entry. */
export async function entriesOf(
  { outbox }: Services,
  { limit, cursor = Number.MAX_SAFE_INTEGER }: Input<'log'>,
) {
  const { shown, next } = pageOf(await outbox().actions(cursor, limit + 1), limit)
  return { entries: shown.map(entryView), cursor: next }
}

/** One entry of the log by its number, with the progress of its redrive; `null` where there is no such entry. */
export async function entryOf({ outbox }: Services, position: number) {
  const found = await outbox().action(position)
  return found && { ...entryView(found), progress: found.progress }
}

function entryView({ position, at, by, action, counts, filter }: ListedEntry) {
  return { position, at: toIso(at), by, action, counts: { ...counts }, filter: { ...filter } }
}

export async function alerts({ outbox }: Services): Promise<Answer<'alerts'>> {
  const { alerts } = readStates(await outbox().alertStates())
  return {
    alerts: ALERT_NAMES.map((name) => {
      const { state, since, lastSentAt, lastError } = alerts[name]
      return { name, state, since: isoOrNull(since), lastSentAt: isoOrNull(lastSentAt), lastError }
    }),
  }
}

/** `error` says in our words why it did not get through. */
export async function testAlert({ config, rim }: Services): Promise<Answer<'testAlert'>> {
  const { alerts, environment } = config
  const { webhook, publicUrl } = alerts
  if (!webhook) return { sent: false, error: 'ALERT_WEBHOOK_URL is not set, or is not a URL' }
  const bodies = testBodies(webhook, { publicUrl, environment }, rim.now())
  const error = await postAlert(webhook, bodies, rim)
  return error === null ? { sent: true } : { sent: false, error }
}

export async function drift({ outbox }: Services): Promise<Answer<'drift'>> {
  return { rows: (await outbox().driftRows()).map(driftView) }
}

export async function acceptDrift(
  { outbox }: Services,
  { kind, path, change }: Input<'acceptDrift'>,
): Promise<Answer<'acceptDrift'> | null> {
  const key = kind && path !== undefined && change ? { kind, path, change } : null
  const rows = (await outbox().acceptDrift(key)).map(driftView)
  return key ? (rows[0] ?? null) : { accepted: rows.length, rows }
}

function driftView({ firstAt, lastAt, ...row }: DriftRow): Answer<'drift'>['rows'][number] {
  return { ...row, firstAt: toIso(firstAt), lastAt: toIso(lastAt) }
}

export async function description(): Promise<Answer<'description'>> {
  return openApi(packageVersion)
}
