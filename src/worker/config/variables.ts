/**
 * Reads variables, each with its own valibot schema, so that one invalid variable never hides another; and says which of them
 * may be shown. A problem names the variable and the expected form, never the value.
 */
import * as v from 'valibot'

/** `expected`: the form that the value must have, such as `an https URL`. */
export type ConfigProblem = { variable: string; expected: string }

/** Values are `unknown` because `[vars]` in TOML may also hold numbers and booleans. */
export type Variables = { readonly [name: string]: unknown }

/** Reads variables one by one. An unset, blank or invalid one is `undefined`; an invalid one is a problem, too. */
export class VariableReader {
  readonly problems: ConfigProblem[] = []
  readonly #env: Variables

  constructor(env: Variables) {
    this.#env = env
  }

  /** A schema that is a function is made only where its variable is set: most are not, and an isolate's first webhook waits. */
  read<T>(
    variable: string,
    schema: v.GenericSchema<string, T> | (() => v.GenericSchema<string, T>),
  ): T | undefined {
    const given = trimmedText(this.#env[variable])
    if (given === '') return undefined
    const form = typeof schema === 'function' ? schema() : schema
    const result = v.safeParse(form, given, { abortEarly: true })
    if (result.success) return result.output
    this.wrong(variable, result.issues[0].message)
    return undefined
  }

  text(variable: string): string | undefined {
    return trimmedText(this.#env[variable]) || undefined
  }

  wrong(variable: string, expected: string): void {
    this.problems.push({ variable, expected })
  }
}

/** The value as text without surrounding white space; empty if it is unset. */
export function trimmedText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).trim()
}

/** Both bounds are included. */
export function integerBetween(min: number, max: number) {
  return () => {
    const expected = `a whole number from ${min} to ${max}`
    return v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, expected),
      v.transform(Number),
      v.minValue(min, expected),
      v.maxValue(max, expected),
    )
  }
}

export const days = v.pipe(
  v.string(),
  v.regex(/^\d{1,4}(\.\d{1,6})?$/, 'a number of days'),
  v.transform(Number),
  v.minValue(0.000_01, 'a number of days above 0'),
)

/** Some of `members`, separated by commas, each once. */
export const listOf =
  <const Member extends string>(members: readonly Member[]) =>
  () => {
    const expected = `of ${members.join(', ')}, separated by commas`
    return v.pipe(
      v.string(),
      v.toLowerCase(),
      v.transform((list) => [...new Set(list.split(/[\s,]+/).filter(Boolean))]),
      v.array(v.picklist(members, expected)),
      v.minLength(1, expected),
    )
  }

/** What may be shown. A name that is missing here is not shown, so that a new secret is not. */
const SHOWN = [
  ...['AEP_ENDPOINT', 'AEP_FORMAT', 'AEP_FLOW_ID', 'AEP_ORG_ID', 'AEP_DATASET_ID'],
  ...['AEP_SCHEMA_ID', 'AEP_SCHEMA_VERSION', 'AEP_TENANT', 'AEP_SCHEMA_EXTRAS'],
  ...['AEP_VISITOR_NAMESPACE', 'AEP_CLIENT_ID', 'AEP_SCOPES', 'AEP_IMS_URL', 'AEP_READ_CLIENT_ID'],
  ...['AEP_SANDBOX', 'AEP_PLATFORM_URL', 'ACCESS_AUD', 'PUBLIC_URL', 'ENVIRONMENT'],
  ...['FORWARD_TIMEOUT_MS', 'DRAIN_TIMEOUT_MS', 'DELIVERY_CONCURRENCY', 'OUTBOX_JURISDICTION'],
  ...['MAX_EVENT_BYTES', 'RETRY_BASE_MS', 'RETRY_CAP_MS', 'RECEIPT_DAYS', 'RETENTION_DAYS'],
  ...['ALERT_AGE_MINUTES', 'ALERT_SILENCE_HOURS', 'COMPLETE_HOURS', 'REDACT', 'OPT_OUT_TRAIT'],
]

/** Of these it is shown that they are set. They stand in no file. */
export const SECRETS: readonly string[] = [
  ...['WEBHOOK_KEYS', 'ADMIN_TOKEN', 'AEP_CLIENT_SECRET', 'AEP_READ_CLIENT_SECRET'],
  ...['ALERT_WEBHOOK_URL', 'ALERT_HEARTBEAT_URL'],
]

/** What is set, by name. */
export function shownSettings(env: object): Record<string, string> {
  const variables = env as Variables
  const set = (names: readonly string[], show: (value: string) => string) =>
    names.flatMap((name) => {
      const value = trimmedText(variables[name])
      return value === '' ? [] : [[name, show(value)] as const]
    })
  return Object.fromEntries([...set(SHOWN, (value) => value), ...set(SECRETS, () => '(set)')])
}
