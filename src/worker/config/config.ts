/**
 * The environment, parsed once into what the relay works with.
 *
 * Promises: a broken value never throws and never costs an event. It becomes a problem that names the variable
 * and what is expected there, never its value; the relay then stores instead of relaying. Fails closed: without
 * a usable webhook key nothing is let in, without a usable admin token there are no admin routes.
 * Defaults live here; `wrangler.toml` only overrides.
 */
import * as v from 'valibot'
import {
  AEP_MAX_REQUEST_BYTES,
  MAX_DRAIN_TIMEOUT_MS,
  MAX_FORWARD_TIMEOUT_MS,
  MAX_SHARDS,
  MIN_EVENT_BYTES,
  MIN_SECRET_CHARACTERS,
} from '../limits.ts'
import { type AlertConfig, readAlertUrls } from './alerts.ts'
import { type Destination, readDestination } from './destination.ts'
import {
  type ConfigProblem,
  days,
  integerBetween,
  trimmedText,
  type Variables,
  variableReader,
} from './variables.ts'

export type {
  Credentials,
  Destination,
  RawDestination,
  XdmDestination,
} from './destination.ts'
export type { Variables } from './variables.ts'

export type Config = {
  /** Empty: no webhook is let in. */
  webhookKeys: readonly string[]
  /** `null`: there are no admin routes. */
  adminToken: string | null
  /** `null`: something about AEP, or a number, does not parse. Everything is stored, nothing relayed (hold `configuration`). */
  destination: Destination | null
  problems: readonly ConfigProblem[]
  forwardTimeoutMs: number
  drainTimeoutMs: number
  outboxShards: number
  maxEventBytes: number
  retryBaseMs: number
  retryCapMs: number
  retentionMs: number
  alerts: AlertConfig
}

/** Parsed once per isolate: the runtime hands every request the same environment. */
const parsed = new WeakMap<object, Config>()

export function configOf(env: object): Config {
  let config = parsed.get(env)
  if (!config) {
    config = parseConfig(env as Variables)
    parsed.set(env, config)
  }
  return config
}

export function parseConfig(env: Variables): Config {
  const problems: ConfigProblem[] = []
  const read = variableReader(env, problems)
  const forwardTimeoutMs =
    read('FORWARD_TIMEOUT_MS', integerBetween(0, MAX_FORWARD_TIMEOUT_MS)) ?? 3_000
  const drainTimeoutMs = read('DRAIN_TIMEOUT_MS', integerBetween(1, MAX_DRAIN_TIMEOUT_MS)) ?? 15_000
  const retryBaseMs = read('RETRY_BASE_MS', integerBetween(1, 3_600_000)) ?? 1_000
  const retryCapMs = read('RETRY_CAP_MS', integerBetween(1, 86_400_000)) ?? 60_000
  const format = read('AEP_FORMAT', v.picklist(['raw', 'xdm'], 'raw or xdm')) ?? 'raw'
  const maxEventBytes = read(
    'MAX_EVENT_BYTES',
    integerBetween(MIN_EVENT_BYTES, AEP_MAX_REQUEST_BYTES),
  )
  const outboxShards = read('OUTBOX_SHARDS', integerBetween(1, MAX_SHARDS)) ?? 1
  const retentionDays = read('RETENTION_DAYS', days) ?? 30
  const alertAgeMinutes = read('ALERT_AGE_MINUTES', integerBetween(1, 43_200)) ?? 15
  const parsedDestination = readDestination(format, read, problems)
  const usable = problems.length === 0
  // Read last: a secret of the wrong form closes its own door, it does not stop relaying.
  return {
    webhookKeys: webhookKeys(env.WEBHOOK_KEYS, problems),
    adminToken: read('ADMIN_TOKEN', secret) ?? null,
    destination: usable ? parsedDestination : null,
    problems,
    forwardTimeoutMs,
    drainTimeoutMs: Math.max(drainTimeoutMs, forwardTimeoutMs),
    outboxShards,
    maxEventBytes: maxEventBytes ?? (format === 'xdm' ? 9_500 : 1_000_000),
    retryBaseMs,
    retryCapMs: Math.max(retryCapMs, retryBaseMs),
    retentionMs: retentionDays * 86_400_000,
    alerts: { ageMs: alertAgeMinutes * 60_000, ...readAlertUrls(read) },
  }
}

const secret = v.pipe(
  v.string(),
  v.minLength(MIN_SECRET_CHARACTERS, `${MIN_SECRET_CHARACTERS} characters or more`),
)

/** One key too short, and none counts: a typing error must not leave an easy key beside the good ones. */
function webhookKeys(value: unknown, problems: ConfigProblem[]): string[] {
  const keys = trimmedText(value)
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (keys.length > 0 && keys.every((key) => key.length >= MIN_SECRET_CHARACTERS)) return keys
  problems.push({
    variable: 'WEBHOOK_KEYS',
    expected: `keys of ${MIN_SECRET_CHARACTERS} characters or more, separated by commas`,
  })
  return []
}
