/** Builds the services of a request, once for each isolate and environment: configuration, keys, relay. */
import type { Context } from 'hono'
import { AepClient } from './aep/client/client.ts'
import { post } from './aep/client/post.ts'
import { settingsOf } from './aep/client/settings.ts'
import { TokenSource } from './aep/client/token.ts'
import { Breaker } from './breaker.ts'
import { type Config, parseConfig } from './config/config.ts'
import { AccessKeys } from './http/auth.ts'
import { HealthCheck } from './http/health.ts'
import { logLine } from './log.ts'
import { type OutboxStub, outboxOf } from './outbox/outbox.ts'
import { Relay } from './relay.ts'

export type AppContext = Context<{ Bindings: Env }>

export type Services = {
  config: Config
  outbox: () => OutboxStub
  relay: Relay
  breaker: Breaker
  health: HealthCheck
  webhookKeys: AccessKeys
}

const services = new WeakMap<Env, Services>()

/** Logs the problems of the configuration when it builds the services. */
export function servicesOf(env: Env): Services {
  let known = services.get(env)
  if (!known) {
    const config = parseConfig(env)
    const { destination } = config
    const now = () => Date.now()
    const outbox = () => outboxOf(env)
    const tokens = new TokenSource((refused) => outbox().token(refused), now)
    const settings = settingsOf(destination)
    const windowMs = Math.max(config.forwardTimeoutMs, config.retryBaseMs)
    const breaker = new Breaker({ settings, windowMs })
    const ownFetch = (url: string, init: RequestInit) => fetch(url, init)
    const client =
      destination &&
      new AepClient(destination, {
        post: (request, timeoutMs) => post(request, timeoutMs, ownFetch, { aborts: false }),
        now,
        tokens,
      })
    const people = {
      suppresses: false,
      isSuppressed: async () => false,
      hashesOf: async () => null,
    }
    known = {
      config,
      outbox,
      relay: new Relay({ config, outbox, client, breaker, settings, people, now }),
      breaker,
      health: new HealthCheck({ config, outbox, now }),
      webhookKeys: new AccessKeys(config.webhookKeys),
    }
    services.set(env, known)
    if (config.problems.length > 0) {
      logLine('error', { event: 'configuration', problems: config.problems })
    }
  }
  return known
}
