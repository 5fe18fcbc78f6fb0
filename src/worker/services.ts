/** What a request works with, made once for each isolate and environment: configuration, keys, relay. */
import type { Context } from 'hono'
import { AepClient, poster } from './aep/client/client.ts'
import { TokenSource } from './aep/client/ims.ts'
import { Breaker } from './breaker.ts'
import { parseConfig } from './config/config.ts'
import { settingsOf } from './config/destination.ts'
import { shownSettings } from './config/variables.ts'
import { DriftDetector } from './drift/detector.ts'
import { AccessKeys, Sessions } from './http/auth.ts'
import { HealthCheck } from './http/health.ts'
import type { Timers } from './lib/bounded.ts'
import { rimOf } from './lib/rim.ts'
import { logLine } from './log.ts'
import { outboxOf } from './outbox/outbox.ts'
import { Relay } from './relay.ts'
import { Reporter } from './report.ts'

/** `operator`: who asks, once admitted. */
export type AppEnv = { Bindings: Env; Variables: { operator?: string } }
export type AppContext = Context<AppEnv>

export type Services = ReturnType<typeof makeServices>

/** How a request waits before it reports. An object, so that tests can replace it. */
export const waits = {
  wait: (ms: number, { set }: Timers): Promise<void> => new Promise((done) => set(done, ms)),
}

const made = new WeakMap<Env, Services>()

/** Logs the problems of the configuration when it makes the services. */
export function servicesOf(env: Env): Services {
  const known = made.get(env)
  if (known) return known
  const services = makeServices(env)
  made.set(env, services)
  const { problems } = services.config
  if (problems.length > 0) logLine('error', { event: 'configuration', problems })
  return services
}

function makeServices(env: Env) {
  const config = parseConfig(env)
  const { destination, adminToken } = config
  const rim = rimOf(env)
  const { now, timers, fetch } = rim
  /** `where`: of which jurisdiction; by default the configured one. */
  const outbox = (where = config.outboxJurisdiction) => outboxOf(env, where)
  const tokens = new TokenSource((refused) => outbox().token(refused), now)
  const settings = settingsOf(destination)
  const windowMs = Math.max(config.forwardTimeoutMs, config.retryBaseMs)
  const breaker = new Breaker({ settings, windowMs })
  const client =
    destination &&
    new AepClient(destination, { post: poster(fetch, false, timers), now, timers, tokens })
  const drift = new DriftDetector()
  const reporter = new Reporter({
    exchange: (...sent) => outbox().exchange({ accepted: breaker.accepted, settings }, ...sent),
    learned: (aep, askedAt) => breaker.update(aep, askedAt),
    drift: (at) => drift.takeReports(at),
    now,
    rim,
    wait: (ms) => waits.wait(ms, timers),
    isolate: rim.randomUUID(),
  })
  const { id, tag, timestamp } = (env as Partial<Env>).CF_VERSION_METADATA ?? {}
  return {
    config,
    rim,
    outbox,
    relay: new Relay({ config, outbox, client, breaker, settings, people: reporter, now, timers }),
    breaker,
    reporter,
    health: new HealthCheck({ config, outbox, rim }),
    webhookKeys: new AccessKeys(config.webhookKeys, rim),
    /** Of operators; `null`: no token opens the admin routes. */
    adminKeys: adminToken === null ? null : new AccessKeys([{ key: adminToken, name: null }], rim),
    /** Of operators who signed in with the token. */
    sessions: adminToken === null ? null : new Sessions(adminToken, rim),
    drift,
    /** Of the Worker that runs; `null` where Cloudflare gives nothing, or an empty text. */
    version: { id: id || null, tag: tag || null, deployedAt: timestamp || null },
    /** What is set; of a secret, only that it is. */
    settings: () => shownSettings(env),
  }
}
