/** Builds the services of a request, once for each isolate and environment: configuration, keys, relay. */
import type { Context } from 'hono'
import { AepClient, poster } from './aep/client/client.ts'
import { TokenSource } from './aep/client/ims.ts'
import { Breaker } from './breaker.ts'
import { type Config, parseConfig } from './config/config.ts'
import { settingsOf } from './config/destination.ts'
import { shownSettings } from './config/variables.ts'
import { DriftDetector } from './drift/detector.ts'
import { AccessKeys, Sessions } from './http/auth.ts'
import { HealthCheck } from './http/health.ts'
import type { Timers } from './lib/bounded.ts'
import { type Rim, rimOf } from './lib/rim.ts'
import { logLine } from './log.ts'
import type { Aep } from './outbox/aep.ts'
import { type OutboxStub, outboxOf } from './outbox/outbox.ts'
import { Relay } from './relay.ts'
import { Reporter } from './report.ts'

export type AppContext = Context<{ Bindings: Env }>

export type Services = {
  config: Config
  rim: Rim
  /** `where`: of which jurisdiction; by default the configured one. */
  outbox: (where?: Config['outboxJurisdiction']) => OutboxStub
  relay: Relay
  breaker: Breaker
  reporter: Reporter<Aep>
  health: HealthCheck
  webhookKeys: AccessKeys
  /** `null`: no token opens the admin routes. */
  adminKeys: AccessKeys | null
  /** Of operators who signed in with the token; `null` with `adminKeys`. */
  sessions: Sessions | null
  drift: DriftDetector
  /** What is set; of a secret, only that it is. */
  settings: () => Readonly<Record<string, string>>
  /** Of the Worker that runs; without a deployment there is none. */
  version: { id: string | null; tag: string | null; deployedAt: string | null }
}

const sleep = (ms: number, { set }: Timers): Promise<void> => new Promise((done) => set(done, ms))

/** How a request waits before it reports. An object, so that tests can replace it. */
export const waits = { wait: sleep }

/** An empty tag is none. */
function versionOf({ CF_VERSION_METADATA: known }: Partial<Env>): Services['version'] {
  const { id, tag, timestamp } = known ?? {}
  return { id: id || null, tag: tag || null, deployedAt: timestamp || null }
}

const services = new WeakMap<Env, Services>()

/** Logs the problems of the configuration when it builds the services. */
export function servicesOf(env: Env): Services {
  let known = services.get(env)
  if (!known) {
    const config = parseConfig(env)
    const { destination } = config
    const rim = rimOf(env)
    const { now, timers, fetch } = rim
    const outbox = (where = config.outboxJurisdiction) => outboxOf(env, where)
    const tokens = new TokenSource((refused) => outbox().token(refused), now)
    const settings = settingsOf(destination)
    const windowMs = Math.max(config.forwardTimeoutMs, config.retryBaseMs)
    const breaker = new Breaker({ settings, windowMs })
    const client =
      destination &&
      new AepClient(destination, {
        post: poster(fetch, false, timers),
        now,
        timers,
        tokens,
      })
    const drift = new DriftDetector()
    const reporter = new Reporter<Aep>({
      exchange: (...sent) => outbox().exchange({ accepted: breaker.accepted, settings }, ...sent),
      learned: (aep, askedAt) => breaker.update(aep, askedAt),
      drift: (at) => drift.takeReports(at),
      now,
      rim,
      wait: (ms) => waits.wait(ms, timers),
      isolate: rim.randomUUID(),
    })
    const { adminToken } = config
    known = {
      config,
      rim,
      outbox,
      relay: new Relay({
        config,
        outbox,
        client,
        breaker,
        settings,
        people: reporter,
        now,
        timers,
      }),
      breaker,
      reporter,
      health: new HealthCheck({ config, outbox, now, timers, wait: (ms) => sleep(ms, timers) }),
      webhookKeys: new AccessKeys(config.webhookKeys, rim),
      adminKeys:
        adminToken === null ? null : new AccessKeys([{ key: adminToken, name: null }], rim),
      sessions: adminToken === null ? null : new Sessions(adminToken),
      drift,
      version: versionOf(env),
      settings: () => shownSettings(env),
    }
    services.set(env, known)
    if (config.problems.length > 0) {
      logLine('error', { event: 'configuration', problems: config.problems })
    }
  }
  return known
}
