/**
 * Who an event's visitor is: the one place where a value becomes an identity, for both formats. The XDM encoder writes
 * `identityMap` of it; a raw record has it as `identity`, of which the mapping makes the same map. And whose record it is that
 * was sent, in either format, for screening before it is sent again.
 *
 * Promises: an identity is never an agent's address, never `replyToEmail` (it can be a fallback that many visitors share).
 * Implausible values are left out: one that would merge the profiles of strangers, or that Profile refuses after AEP has
 * answered 200 (TROUB), does more harm than no identity. Of a record, the visitor's id and addresses are found wherever the
 * encoders put them, `unmapped` and parts included; never an agent's, never one that a message or `replyToEmail` only
 * mentions. Each value is looked up as an id and as an address: rather one name too many than a suppressed person's record
 * sent. Pure, and never throws.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { FIELDS, NAMING, placeIn } from '../../chatlio/fields.ts'
import { KINDS } from '../../chatlio/kind.ts'
import { normalizedKey, type PersonKey } from '../../chatlio/person.ts'
import { isObject, type JsonObject, jsonIn } from '../../lib/json.ts'
import { addressesIn, readingsOfText } from '../../lib/spellings.ts'

/** Longest identity value that AEP takes, in characters (identity-service/guardrails). */
const MAX_IDENTITY_CHARACTERS = 1_024

/** An identity value, and its path in the payload. */
export type IdentityValue = { from: string; id: string }

type Identities = { visitor?: IdentityValue; email?: IdentityValue }

export function identitiesOf({ kind, payload }: ChatEvent): Identities {
  const identities: Identities = {}
  for (const { from, person, kinds, holder, name } of NAMING) {
    // A transcript documents no `visitor`, so one in it is not normalized. A mailbox has a name around its address.
    if (!kinds.includes(KINDS[kind].shape) || person === 'mailbox') continue
    const object = holder === '' ? payload : payload[holder]
    const id = (object as JsonObject | undefined)?.[name]
    if (typeof id !== 'string' || !isPlausible(id)) continue
    if (person === 'id') identities.visitor ??= { from, id }
    else if (isAddress(id)) identities.email ??= { from, id }
  }
  return identities
}

export type PrimaryIdentity = 'visitor' | 'email' | 'none'

/** Which identity is primary, for the log line. */
export function identityOf(event: ChatEvent): PrimaryIdentity {
  const { visitor, email } = identitiesOf(event)
  return visitor ? 'visitor' : email ? 'email' : 'none'
}

/**
 * In any case, blanks around them or not: what Adobe's Identity Service blocks (`null`, `anonymous`, `invalid`), and what
 * programs write where they know nobody.
 */
const NOBODY = new Set([
  ...['null', 'anonymous', 'invalid', 'undefined', 'none', 'nil', 'nan', 'unknown'],
  ...['n/a', 'na', '(null)', '(none)', '[object object]', '-', '0', 'false', 'true'],
  '00000000-0000-0000-0000-000000000000',
  '{00000000-0000-0000-0000-000000000000}',
  '00000000000000000000000000000000',
])

/** Nearly every id and domain: asked first, since the classes of Unicode are slow to compile in a fresh isolate. */
const VISIBLE_ASCII = /^[!-~]+$/
const ASCII_DOMAIN = /^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/i

/** Neither blank nor too long, none of `NOBODY`, and free of control characters and lone surrogates. */
function isPlausible(id: string): boolean {
  if (id.length > MAX_IDENTITY_CHARACTERS || NOBODY.has(id.trim().toLowerCase())) return false
  return VISIBLE_ASCII.test(id) || (!/[\p{Cc}\p{Cs}]/u.test(id) && /[^\s\p{Cf}]/u.test(id))
}

/** No name around it, no list, no `mailto:`. Letters of any script: addresses have them (RFC 6531). */
const LOCAL = /^[^\s@"(),:;<>[\\\]]+$/
const DOMAIN = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?$/u

/** Looks like one address, in a domain or on a host. */
function isAddress(text: string): boolean {
  const at = text.indexOf('@')
  const domain = text.slice(at + 1)
  const isDomain = ASCII_DOMAIN.test(domain) || DOMAIN.test(domain)
  return at > 0 && LOCAL.test(text.slice(0, at)) && isDomain && !domain.includes('..')
}

/** Below these keys are words of a visitor or an agent, or data of somebody else: no identity of this person. */
const OTHERS = new Set([
  ...['messages', 'agent'],
  ...FIELDS.filter(({ form, person }) => form === 'email' && person === null).map(
    ({ from }) => from,
  ),
])
/** As the webhook calls them, and as the schema does. */
const NAMES = new Set(
  NAMING.flatMap(({ name, from, to }) => [name, placeIn({ from: to ?? from }).name]),
)
/** All that stands below these is an identity. */
const IDENTITIES = new Set(['identity', 'identityMap'])

const MAX_ADDRESSES = 32

/** Whose a record is, in either format. */
export function personKeysIn(record: unknown): PersonKey[] {
  const values = new Set<string>()
  const left: { value: unknown; isTheirs: boolean }[] = [{ value: record, isTheirs: false }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, isTheirs } = next
    if (typeof value === 'string' && isTheirs) addValue(value, values)
    else if (Array.isArray(value)) for (const item of value) left.push({ value: item, isTheirs })
    else if (isObject(value)) {
      for (const [path, held] of Object.entries(value)) {
        // In `unmapped` names are paths.
        const names = path.split('.')
        if (names.some((name) => OTHERS.has(name))) continue
        const name = names.at(-1) ?? ''
        const own = isTheirs || IDENTITIES.has(name) || NAMES.has(name)
        const isText = name === 'unmapped' && typeof held === 'string'
        left.push({ value: isText ? jsonIn(held) : held, isTheirs: own })
      }
    }
  }
  return [...values].flatMap((value) => [
    normalizedKey({ field: 'visitor', value }),
    normalizedKey({ field: 'email', value }),
  ])
}

function addValue(text: string, values: Set<string>): void {
  if (text.trim() !== '' && text.length <= MAX_IDENTITY_CHARACTERS) values.add(text)
  for (const address of addressesIn(readingsOfText(text), MAX_ADDRESSES)) values.add(address)
}
