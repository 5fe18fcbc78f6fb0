/**
 * Parses the environment, once, into the configuration of the relay.
 *
 * Promises: an invalid value never throws and never costs an event. It becomes a problem that names the variable and
 * the expected form, never the value, and the relay stores events instead of relaying them. Fails closed: without a
 * usable webhook key every webhook is refused, without a usable admin token there are no admin routes.
 * Defaults live here; `wrangler.toml` only overrides them.
 */
import * as v from 'valibot'
import type { Trait } from '../chatlio/person.ts'
import {
  AEP_MAX_REQUEST_BYTES,
  DAY_MS,
  HOUR_MS,
  MAX_DELIVERY_CONCURRENCY,
  MAX_DRAIN_TIMEOUT_MS,
  MAX_FORWARD_TIMEOUT_MS,
  MAX_RECEIPT_DAYS,
  MIN_EVENT_BYTES,
  MIN_SECRET_CHARACTERS,
} from '../limits.ts'
import { readAccess, readAlertUrls, readDestination, readIms } from './destination.ts'
import { days, integerBetween, listOf, VariableReader, type Variables } from './variables.ts'
import { LONG_ENOUGH, PLACEHOLDER, readWebhookKeys } from './webhook-keys.ts'

export type {
  Credentials,
  Destination,
  RawDestination,
  ReadAccess,
  XdmDestination,
} from './destination.ts'
export type { Variables } from './variables.ts'
export type { WebhookKey } from './webhook-keys.ts'

export type Config = ReturnType<typeof parseConfig>

/** Pure. `env` may hold bindings beside the variables. Durations are in milliseconds, sizes in bytes. */
export function parseConfig(env: object) {
  const variables = new VariableReader(env as Variables)
  const { problems } = variables
  const whole = (variable: string, min: number, max: number, otherwise: number) =>
    variables.read(variable, integerBetween(min, max)) ?? otherwise
  const forwardTimeoutMs = whole('FORWARD_TIMEOUT_MS', 0, MAX_FORWARD_TIMEOUT_MS, 3_000)
  const drainTimeoutMs = whole('DRAIN_TIMEOUT_MS', 1, MAX_DRAIN_TIMEOUT_MS, 15_000)
  const retryBaseMs = whole('RETRY_BASE_MS', 1, HOUR_MS, 1_000)
  const retryCapMs = whole('RETRY_CAP_MS', 1, DAY_MS, 60_000)
  const format = variables.read('AEP_FORMAT', v.picklist(['raw', 'xdm'], 'raw or xdm')) ?? 'raw'
  const eventBytes = format === 'xdm' ? 9_500 : 1_000_000
  const settings = {
    forwardTimeoutMs,
    drainTimeoutMs: Math.max(drainTimeoutMs, forwardTimeoutMs),
    retryBaseMs,
    retryCapMs: Math.max(retryCapMs, retryBaseMs),
    maxEventBytes: whole('MAX_EVENT_BYTES', MIN_EVENT_BYTES, AEP_MAX_REQUEST_BYTES, eventBytes),
    /** Requests that the outbox has under way at once, when AEP takes them. */
    deliveryConcurrency: whole('DELIVERY_CONCURRENCY', 1, MAX_DELIVERY_CONCURRENCY, 48),
    /** Where the outbox lives; `null`: anywhere. */
    outboxJurisdiction:
      variables.read('OUTBOX_JURISDICTION', v.picklist(JURISDICTIONS, 'eu, or none')) ?? null,
    retentionMs: (variables.read('RETENTION_DAYS', days) ?? 30) * DAY_MS,
    /** How long delivered events are remembered; 0: not at all. */
    receiptMs: whole('RECEIPT_DAYS', 0, MAX_RECEIPT_DAYS, 7) * DAY_MS,
    alerts: {
      /** A pending event older than this is worth an alert. */
      ageMs: whole('ALERT_AGE_MINUTES', 1, 43_200, 15) * 60_000,
      /** No webhook for so long, where a week before there were some, is worth an alert; 0: never. */
      silenceMs: whole('ALERT_SILENCE_HOURS', 0, 168, 24) * HOUR_MS,
    },
    /** How long a started conversation may be without its transcript; 0: transcripts are not checked. */
    completeMs: whole('COMPLETE_HOURS', 0, 720, 24) * HOUR_MS,
    /** What is replaced in texts that are sent; empty: nothing. */
    redact: variables.read('REDACT', redactRules) ?? (['card'] as const),
    /** `null`: nobody has opted out. */
    optOutTrait: variables.read('OPT_OUT_TRAIT', optOutTrait) ?? null,
  }
  const ims = readIms(variables)
  const destination = readDestination(format, variables, ims)
  const isUsable = problems.length === 0
  // Read after that is decided: an invalid secret closes its own routes and does not stop relaying.
  return {
    ...readWebhookKeys(variables.text('WEBHOOK_KEYS'), problems),
    /** `null`: no token opens the admin routes. */
    adminToken: variables.read('ADMIN_TOKEN', secret) ?? null,
    /** The audience of the Access application whose users are operators; `null`: Access opens nothing. */
    accessAud: variables.text('ACCESS_AUD') ?? null,
    /** `null`: a setting of AEP, or a number, is invalid. Events are stored and not relayed (hold `configuration`). */
    destination: isUsable ? destination : null,
    ...settings,
    /** With what AEP's own counts may be read. */
    readAccess: readAccess(variables, ims, destination.flowId || null),
    /** What an operator calls this relay; `null`: nothing. */
    environment: variables.read('ENVIRONMENT', oneLine) ?? null,
    alerts: { ...settings.alerts, ...readAlertUrls(variables) },
    problems,
  }
}

const secret = v.pipe(
  v.string(),
  v.minLength(MIN_SECRET_CHARACTERS, LONG_ENOUGH),
  v.check((value) => !PLACEHOLDER.test(value), 'a secret, not a placeholder'),
)

/** Where the outbox can be made to live. */
export const JURISDICTIONS = ['eu'] as const

export const REDACT_RULES = ['card', 'iban', 'email', 'phone'] as const
/** What is replaced in texts when an event is sent. */
export type RedactRule = (typeof REDACT_RULES)[number]

const redactRules = () => {
  const none = v.pipe(
    v.literal('none'),
    v.transform((): RedactRule[] => []),
  )
  const expected = `none, or of ${REDACT_RULES.join(', ')}, separated by commas`
  return v.pipe(v.string(), v.toLowerCase(), v.union([none, listOf(REDACT_RULES)()], expected))
}

const optOutTrait = v.pipe(
  v.string(),
  v.regex(/^[^=\s.][^=.]*(\.[^=.]+)*=\s*\S/, 'path=value, such as consent.chat=false'),
  v.transform((text): Trait => {
    const at = text.indexOf('=')
    return { path: text.slice(0, at).trim().split('.'), value: text.slice(at + 1).trim() }
  }),
)

const oneLine = v.pipe(v.string(), v.regex(/^[^\p{Cc}]{1,64}$/u, 'a name of at most 64 characters'))
