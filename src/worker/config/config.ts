/**
 * Parses the environment, once, into the configuration of the relay.
 *
 * Promises: an invalid value never throws and never costs an event. It becomes a problem that names the variable and
 * the expected form, never the value, and the relay stores events instead of relaying them. Fails closed: without a
 * usable webhook key every webhook is refused, without a usable admin token there are no admin routes.
 * Defaults live here; `wrangler.toml` only overrides them.
 */
import * as v from 'valibot'
import {
  AEP_MAX_REQUEST_BYTES,
  MAX_DRAIN_TIMEOUT_MS,
  MAX_FORWARD_TIMEOUT_MS,
  MAX_RECEIPT_DAYS,
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

/** Why no webhook key can be used. */
export type KeyFault = 'none' | 'too-short' | 'placeholder'

export type Config = {
  /** Empty: every webhook is refused. */
  webhookKeys: readonly string[]
  /** Why there are none; `null` when there are some. */
  webhookKeysFault: KeyFault | null
  /** `null`: no token opens the admin routes. */
  adminToken: string | null
  /** The audience of the Access application whose users are operators; `null`: Access opens nothing. */
  accessAud: string | null
  /** `null`: a setting of AEP, or a number, is invalid. Events are stored and not relayed (hold `configuration`). */
  destination: Destination | null
  problems: readonly ConfigProblem[]
  forwardTimeoutMs: number
  drainTimeoutMs: number
  outboxShards: number
  maxEventBytes: number
  retryBaseMs: number
  retryCapMs: number
  retentionMs: number
  /** How long delivered events are remembered; 0: not at all. */
  receiptMs: number
  alerts: AlertConfig
}

/** Pure. `env` may hold bindings beside the variables. Durations are in milliseconds, sizes in bytes. */
export function parseConfig(env: object): Config {
  const variables = env as Variables
  const problems: ConfigProblem[] = []
  const read = variableReader(variables, problems)
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
  const receiptDays = read('RECEIPT_DAYS', integerBetween(0, MAX_RECEIPT_DAYS)) ?? 7
  const alertAgeMinutes = read('ALERT_AGE_MINUTES', integerBetween(1, 43_200)) ?? 15
  const parsedDestination = readDestination(format, read, problems)
  const usable = problems.length === 0
  // Read after `usable` is decided: an invalid secret closes its own routes and does not stop relaying.
  return {
    ...readWebhookKeys(variables.WEBHOOK_KEYS, problems),
    adminToken: read('ADMIN_TOKEN', secret) ?? null,
    accessAud: read('ACCESS_AUD', v.string()) ?? null,
    destination: usable ? parsedDestination : null,
    problems,
    forwardTimeoutMs,
    drainTimeoutMs: Math.max(drainTimeoutMs, forwardTimeoutMs),
    outboxShards,
    maxEventBytes: maxEventBytes ?? (format === 'xdm' ? 9_500 : 1_000_000),
    retryBaseMs,
    retryCapMs: Math.max(retryCapMs, retryBaseMs),
    retentionMs: retentionDays * 86_400_000,
    receiptMs: receiptDays * 86_400_000,
    alerts: { ageMs: alertAgeMinutes * 60_000, ...readAlertUrls(read) },
  }
}

/** As written in guides and example files. A copied one is known to everybody, so it counts as not set. */
const PLACEHOLDER = /change-me|example|placeholder|your-/i

const LONG_ENOUGH = `${MIN_SECRET_CHARACTERS} characters or more`

const secret = v.pipe(
  v.string(),
  v.minLength(MIN_SECRET_CHARACTERS, LONG_ENOUGH),
  v.check((value) => !PLACEHOLDER.test(value), 'a secret, not a placeholder'),
)

const EXPECTED_KEYS: Record<KeyFault, string> = {
  none: `keys of ${LONG_ENOUGH}, separated by commas`,
  'too-short': `keys of ${LONG_ENOUGH} each, separated by commas`,
  placeholder: 'keys, not a placeholder',
}

/** If one key cannot be used, none is: a typing error must not leave a weak key beside strong ones. */
function readWebhookKeys(
  value: unknown,
  problems: ConfigProblem[],
): Pick<Config, 'webhookKeys' | 'webhookKeysFault'> {
  const keys = trimmedText(value)
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  const fault = keysFault(keys)
  if (!fault) return { webhookKeys: keys, webhookKeysFault: null }
  problems.push({ variable: 'WEBHOOK_KEYS', expected: EXPECTED_KEYS[fault] })
  return { webhookKeys: [], webhookKeysFault: fault }
}

function keysFault(keys: readonly string[]): KeyFault | null {
  if (keys.length === 0) return 'none'
  if (keys.some((key) => PLACEHOLDER.test(key))) return 'placeholder'
  return keys.some((key) => key.length < MIN_SECRET_CHARACTERS) ? 'too-short' : null
}
