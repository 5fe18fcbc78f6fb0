/** What a request works with, made once per isolate and environment: configuration, shards of the outbox, relay. */
import type { Context } from 'hono'
import { TokenSource } from './aep/client/token.ts'
import { type Config, configOf } from './config/config.ts'
import { DriftDetector } from './drift/detector.ts'
import { logLine } from './log.ts'
import { type Metrics, metricsOf } from './metrics.ts'
import { Shards } from './outbox/shards.ts'
import { Relay } from './relay.ts'

export type AppContext = Context<{ Bindings: Env }>

export type Services = {
  config: Config
  shards: Shards
  relay: Relay
  drift: DriftDetector
  metrics: Metrics
}

const services = new WeakMap<Env, Services>()

export function servicesOf(env: Env): Services {
  let known = services.get(env)
  if (!known) {
    const config = configOf(env)
    const shards = new Shards(env.OUTBOX, config.outboxShards)
    const tokens = new TokenSource((refused) => shards.tokenKeeper().token(refused), Date.now)
    const relay = new Relay(config, shards, {
      fetch: (url, init) => fetch(url, init),
      now: Date.now,
      tokens,
    })
    known = { config, shards, relay, drift: new DriftDetector(), metrics: metricsOf(env) }
    services.set(env, known)
    if (config.problems.length > 0) {
      logLine('error', { event: 'configuration', problems: config.problems })
    }
  }
  return known
}
