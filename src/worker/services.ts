/**
 * Builds the services of a request, once for each isolate and environment: configuration, keys, outbox shards, relay.
 */
import type { Context } from 'hono'
import { TokenSource } from './aep/client/token.ts'
import { Carrier } from './carrier.ts'
import { type Config, parseConfig } from './config/config.ts'
import { DriftDetector } from './drift/detector.ts'
import { AccessKeys } from './http/auth.ts'
import { HealthCheck } from './http/health.ts'
import { Sessions } from './http/sessions.ts'
import { logLine } from './log.ts'
import { type Metrics, metricsOf } from './metrics.ts'
import { type OutboxStub, Shards } from './outbox/shards.ts'
import { Refresh } from './refresh.ts'
import { Relay } from './relay.ts'

export type AppContext = Context<{ Bindings: Env }>

export type Services = {
  config: Config
  /** A new stub for every call: one that threw may stay broken (durable-objects/best-practices/error-handling). */
  outbox: () => OutboxStub
  shards: Shards
  relay: Relay
  carrier: Carrier
  refresh: Refresh
  health: HealthCheck
  webhookKeys: AccessKeys
  /** `null`: no token opens the admin routes. */
  adminKeys: AccessKeys | null
  /** Of operators who signed in with the token; `null` with `adminKeys`. */
  sessions: Sessions | null
  drift: DriftDetector
  /** `null`: off. */
  metrics: Metrics | null
}

/** How a request waits for its carry. An object, so that tests can put their own clock in its place. */
export const waits = {
  wait: (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms)),
}

const services = new WeakMap<Env, Services>()

/** Logs the problems of the configuration when it builds the services. */
export function servicesOf(env: Env): Services {
  let known = services.get(env)
  if (!known) {
    const config = parseConfig(env)
    const shards = new Shards(env.OUTBOX, 1)
    const tokens = new TokenSource((refused) => shards.tokenKeeper().token(refused), Date.now)
    const carrier = new Carrier(shards, Date.now, crypto.randomUUID())
    const relay = new Relay(
      config,
      shards,
      { fetch: (url, init) => fetch(url, init), aborts: false, now: Date.now, tokens },
      carrier,
    )
    const refresh = new Refresh({
      shards,
      relay,
      carrier,
      now: Date.now,
      wait: (ms) => waits.wait(ms),
    })
    known = {
      config,
      outbox: () => shards.at(0),
      shards,
      relay,
      carrier,
      refresh,
      health: new HealthCheck(config, shards, relay, Date.now),
      webhookKeys: new AccessKeys(config.webhookKeys),
      adminKeys:
        config.adminToken === null
          ? null
          : new AccessKeys([{ key: config.adminToken, name: null }]),
      sessions: config.adminToken === null ? null : new Sessions(config.adminToken),
      drift: new DriftDetector(),
      metrics: metricsOf(env),
    }
    services.set(env, known)
    if (config.problems.length > 0) {
      logLine('error', { event: 'configuration', problems: config.problems })
    }
  }
  return known
}
