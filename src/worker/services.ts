/** What a request works with, made once per isolate and environment: configuration, shards of the outbox, relay. */
import type { Context } from 'hono'
import { TokenSource } from './aep/client/token.ts'
import { Carrier } from './carrier.ts'
import { type Config, configOf } from './config/config.ts'
import { logLine } from './log.ts'
import { Shards } from './outbox/shards.ts'
import { Refresh } from './refresh.ts'
import { Relay } from './relay.ts'

export type AppContext = Context<{ Bindings: Env }>

export type Services = {
  config: Config
  shards: Shards
  relay: Relay
  carrier: Carrier
  refresh: Refresh
}

/** How a request waits for its carry. An object, so that tests can put their own clock in its place. */
export const waits = {
  wait: (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms)),
}

const services = new WeakMap<Env, Services>()

export function servicesOf(env: Env): Services {
  let known = services.get(env)
  if (!known) {
    const config = configOf(env)
    const shards = new Shards(env.OUTBOX, config.outboxShards)
    const tokens = new TokenSource((refused) => shards.tokenKeeper().token(refused), Date.now)
    const carrier = new Carrier(shards, Date.now, crypto.randomUUID())
    const relay = new Relay(
      config,
      shards,
      { fetch: (url, init) => fetch(url, init), now: Date.now, tokens },
      carrier,
    )
    const refresh = new Refresh({
      shards,
      relay,
      carrier,
      now: Date.now,
      wait: (ms) => waits.wait(ms),
    })
    known = { config, shards, relay, carrier, refresh }
    services.set(env, known)
    if (config.problems.length > 0) {
      logLine('error', { event: 'configuration', problems: config.problems })
    }
  }
  return known
}
