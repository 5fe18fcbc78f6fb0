/**
 * The cron trigger: re-arms a lost alarm, tidies up, reads what AEP counts of what it has acknowledged, and raises alerts.
 *
 * Promises: reading AEP's counts and sending alerts never throw, end in time whatever Adobe, the alert webhook or the heartbeat
 * does, and affect no event. The credential for reading is its own and may only read: a refusal is a sentence on the page and no
 * hold. What was read before the time was over is kept, and the next run goes on from there. One message a run at most; one
 * that fails is sent at the next.
 * Accepts: a run that ends between sending and saving sends its message twice. While the outbox, which keeps the states, does
 * not answer, only this isolate knows what was sent.
 */
import { requestToken, TokenSource } from './aep/client/ims.ts'
import { type LandedCursor, readLanded } from './aep/landed.ts'
import { type PlatformProblem, platformGet } from './aep/platform-get.ts'
import { ALERT_NAMES } from './alerts/alerts.ts'
import {
  type AlertStates,
  afterSending,
  evaluate,
  INITIAL_STATES,
  type Notice,
  readStates,
  withoutUnsent,
} from './alerts/evaluate.ts'
import { bodiesFor, postAlert, request } from './alerts/message.ts'
import type { ReadAccess } from './config/destination.ts'
import { signalAfter, within } from './lib/bounded.ts'
import type { Rim } from './lib/rim.ts'
import { LANDED_REQUEST_MS, LANDED_ROWS, LANDED_TIMEOUT_MS, STORE_TIMEOUT_MS } from './limits.ts'
import { logLine, nameOf } from './log.ts'
import { type OutboxStub, outboxOf } from './outbox/outbox.ts'
import type { LandedRead } from './outbox/records/landed.ts'
import { type Services, servicesOf } from './services.ts'

export async function runCron(env: Env): Promise<void> {
  const services = servicesOf(env)
  const { config, outbox, reporter, rim } = services
  try {
    await within(STORE_TIMEOUT_MS, outbox().wake(), rim.timers)
    await reporter.report()
    // What the object of before a jurisdiction was set still holds.
    if (config.outboxJurisdiction !== null) {
      await within(STORE_TIMEOUT_MS, outboxOf(env).wake(), rim.timers)
    }
    await readWhatLanded(services)
  } finally {
    // An outbox that does not answer is one of the things to alert about.
    await runAlerts(services)
  }
}

/** The outbox decides when it is time again. */
async function readWhatLanded({ config, outbox, rim }: Services): Promise<void> {
  const access = config.readAccess
  if (!access.available) return
  const { timers } = rim
  try {
    const cursor = await within(STORE_TIMEOUT_MS, outbox().beginLanded(), timers)
    if (cursor === null) return
    const landed = await within(LANDED_TIMEOUT_MS, read(access, cursor, rim), timers).catch(
      // Only when its own deadlines have failed it.
      () => unread({ what: 'runs', reason: 'failed', status: null }),
    )
    if (landed.problem) logLine('warn', { event: 'landed-unread', ...landed.problem })
    const flow = { datasetId: access.datasetId, flowId: access.flowId }
    await within(STORE_TIMEOUT_MS, outbox().takeLanded({ ...landed, flow }), timers)
  } catch (thrown) {
    logLine('error', { event: 'landed-failed', name: nameOf(thrown) })
  }
}

async function read(
  access: Extract<ReadAccess, { available: true }>,
  cursor: LandedCursor,
  { fetch, now, timers }: Rim,
): Promise<Omit<LandedRead, 'flow'>> {
  const began = now()
  const { credentials } = access
  const tokens = new TokenSource(() => requestToken(credentials, { fetch, now, timers }), now)
  const first = await tokens.get(null)
  if ('failed' in first) {
    const { verdict, error } = first.failed
    const reason = verdict === 'held' ? 'permission' : 'failed'
    return unread({ what: 'token', reason, status: error.status })
  }
  const token = async (refused: string | null) => {
    const result = await tokens.get(refused)
    if ('token' in result) return result.token.value
    throw new Error('no token')
  }
  const client = { ...access, clientId: credentials.clientId }
  return readLanded({
    get: platformGet(client, token, fetch, () => signalAfter(LANDED_REQUEST_MS, timers)),
    flow: access,
    cursor,
    now: now(),
    rows: LANDED_ROWS,
    // So that the request under way then still ends in time.
    late: () => now() - began > LANDED_TIMEOUT_MS - 2 * LANDED_REQUEST_MS,
  })
}

function unread(problem: PlatformProblem): Omit<LandedRead, 'flow'> {
  return { hours: [], failures: [], unnamed: [], cursor: null, more: false, problem }
}

/** States that the outbox could not keep, by isolate. `kept`: the text that it had instead; `undefined`: it never answered. */
type Unsaved = { states: AlertStates; kept: string | null | undefined }
const unsaved = new WeakMap<Services, Unsaved>()

async function runAlerts(services: Services): Promise<void> {
  try {
    const answers = await alert(services)
    if (answers) await heartbeat(services)
  } catch (thrown) {
    logLine('error', { event: 'alerts-failed', name: nameOf(thrown) })
  }
}

/** Whether the outbox answered. */
async function alert(services: Services): Promise<boolean> {
  const { config, rim } = services
  const { webhook } = config.alerts
  const now = rim.now()
  const outbox = await asked(services, (stub) => stub.alertFacts())
  const unkept = unsaved.get(services)
  const before = outbox ? joined(outbox.states, unkept) : (unkept?.states ?? INITIAL_STATES)
  const evaluation = evaluate({ now, outbox, config }, before)
  const states = await send(evaluation, now, services)
  for (const { name, event } of webhook ? evaluation.notices : changes(before, states)) {
    const sent = webhook !== null && states.alerts[name].lastSentAt === now
    logLine(event === 'resolved' ? 'log' : 'warn', { event: 'alert', name, state: event, sent })
  }
  const saved =
    outbox &&
    (await asked(services, async (stub) => {
      await stub.saveAlertStates(JSON.stringify(states), outbox.refusals)
      return true
    }))
  // It may answer and be unable to write: what was sent must not be sent again at each run.
  if (saved) unsaved.delete(services)
  else unsaved.set(services, { states, kept: outbox ? outbox.states : unkept?.kept })
  return outbox !== null
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
  { outbox, rim }: Services,
  ask: (stub: OutboxStub) => Promise<Result>,
): Promise<Result | null> {
  for (let attempts = 0; attempts < 2; attempts += 1) {
    try {
      return await within(STORE_TIMEOUT_MS, ask(outbox()), rim.timers)
    } catch (thrown) {
      logLine('warn', { event: 'alerts-failed', name: nameOf(thrown) })
    }
  }
  return null
}

/**
 * What the outbox keeps, and what it could not. Where another isolate has made it keep something newer, or it had not answered,
 * only the state of `storage` counts.
 */
function joined(text: string | null, unkept: Unsaved | undefined): AlertStates {
  const kept = readStates(text)
  if (!unkept) return kept
  const { alerts } = unkept.states
  const isNewest = unkept.kept === text
  return { ...kept, alerts: isNewest ? alerts : { ...kept.alerts, storage: alerts.storage } }
}

async function send(
  { states, notices }: ReturnType<typeof evaluate>,
  now: number,
  { config, rim }: Services,
): Promise<AlertStates> {
  const { alerts, environment } = config
  const { webhook, publicUrl } = alerts
  if (!webhook) return withoutUnsent(states, ALERT_NAMES)
  if (notices.length === 0) return states
  const bodies = bodiesFor(webhook, notices, { publicUrl, environment })
  const error = await postAlert(webhook, bodies, rim)
  if (error !== null) logLine('warn', { event: 'alert-not-sent', reason: error })
  return afterSending(states, notices, error, now)
}

/** `/fail` behind the path says that the relay runs, and is not well. */
async function heartbeat({ config, health, rim }: Services): Promise<void> {
  const { heartbeatUrl } = config.alerts
  if (!heartbeatUrl) return
  const address = new URL(heartbeatUrl)
  const isWell = (await health.reasons()).length === 0
  if (!isWell) address.pathname = `${address.pathname.replace(/\/+$/, '')}/fail`
  const error = await request(address.href, { method: 'GET' }, rim)
  if (error !== null) logLine('warn', { event: 'heartbeat-failed', reason: error })
}
