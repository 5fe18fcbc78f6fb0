/**
 * The keys of webhook senders, out of one secret: `KEY` or `name:KEY`, separated by commas, semicolons or white space.
 *
 * Promises: a key that cannot be used is ignored and reported by its position, and takes no other key with it: a typing
 * error during a rotation must not be an outage. Reports never repeat a key. Without a usable key nobody gets in.
 */
import { MIN_SECRET_CHARACTERS } from '../limits.ts'
import { type ConfigProblem, trimmedText } from './variables.ts'

/** `name`: the widget that the key belongs to, `source` of its events. */
export type WebhookKey = { readonly key: string; readonly name: string | null }

/** So many hex digits of a key's SHA-256 name it, in logs, on the page and in commands. */
export const FINGERPRINT_DIGITS = 6

type KeyFault = 'quoted' | 'placeholder' | 'too-short' | 'named-twice' | 'joined'

/** As written in guides and example files. A copied one is known to everybody, so it counts as not set. */
export const PLACEHOLDER = /change-me|example|placeholder|your-/i

export const LONG_ENOUGH = `${MIN_SECRET_CHARACTERS} characters or more`

/** A JSON list, or a value with its quotes: no sender has a key that looks like this. */
const QUOTED = /["'`\u2018-\u201f\u00ab\u00bb()[\]{}<>]/

/**
 * Looks like two keys, or like the line of an env file: the line end that a shell has not made, a bar, a comma of another
 * script, a mark of no width. It may be somebody's key all the same.
 */
const JOINED = /\\|\||[\p{Cf}[\p{Po}--\p{ASCII}]]|^WEBHOOK_KEYS=/v

/** Of a widget, which becomes the source of its events. */
export const KEY_NAME = /^[a-z0-9-]{1,32}$/

const NAMED = /^([a-z0-9-]{1,32}):(.+)$/s

const EXPECTED: Record<KeyFault, { form: string; one: string; several: string }> = {
  quoted: {
    form: 'keys without quotes or brackets, separated by commas',
    one: 'has quotes or brackets',
    several: 'have quotes or brackets',
  },
  placeholder: { form: 'your own keys', one: 'is a placeholder', several: 'are placeholders' },
  'too-short': {
    form: `${LONG_ENOUGH} each, without the name`,
    one: 'is too short',
    several: 'are too short',
  },
  'named-twice': {
    form: 'a key of its own for each name',
    one: 'is there under another name',
    several: 'are there under other names',
  },
  joined: {
    form: 'keys alone, separated by commas',
    one: 'has a sign that is none of a key',
    several: 'have signs that are none of a key',
  },
}

/** Those that cannot be used are left out, and are a problem each. The fault says in a sentence why there are none; `null` when there are. */
export function readWebhookKeys(
  value: unknown,
  problems: ConfigProblem[],
): { webhookKeys: readonly WebhookKey[]; webhookKeysFault: string | null } {
  const keys = new Map<string, WebhookKey>()
  const faults = new Map<KeyFault, number[]>()
  const entries = trimmedText(value)
    .split(/[\s,;]+/)
    .filter((entry) => entry !== '')
  for (const [index, entry] of entries.entries()) {
    const found = readKey(entry)
    const same = keys.get(found.key)
    const fault = same && same.name !== found.name ? 'named-twice' : found.fault
    if (fault) faults.set(fault, [...(faults.get(fault) ?? []), index + 1])
    if (found.isUsable && !same) keys.set(found.key, { key: found.key, name: found.name })
  }
  const expected =
    entries.length === 0
      ? [`keys of ${LONG_ENOUGH}, separated by commas`]
      : Array.from(faults, expectedText)
  for (const each of expected) problems.push({ variable: 'WEBHOOK_KEYS', expected: each })
  return {
    webhookKeys: [...keys.values()],
    webhookKeysFault: keys.size > 0 ? null : faultText(entries.length, expected),
  }
}

type ReadKey = WebhookKey & { readonly fault?: KeyFault; readonly isUsable: boolean }

function readKey(entry: string): ReadKey {
  const [, name = null, key = entry] = NAMED.exec(entry) ?? []
  if (QUOTED.test(entry)) return { key: entry, name: null, fault: 'quoted', isUsable: false }
  if (PLACEHOLDER.test(key)) return { key, name, fault: 'placeholder', isUsable: false }
  if (key.length >= MIN_SECRET_CHARACTERS) {
    return { key, name, isUsable: true, ...(JOINED.test(entry) && { fault: 'joined' }) }
  }
  // A key that has a colon of its own has always worked as a whole.
  const isUsable = entry.length >= MIN_SECRET_CHARACTERS && !PLACEHOLDER.test(entry)
  return { key: entry, name: null, fault: 'too-short', isUsable }
}

/** A secret of thousands of faulty keys is a mistake of its own: the first few say enough. */
const MAX_POSITIONS = 10

function expectedText([fault, at]: readonly [KeyFault, readonly number[]]): string {
  const { form, one, several } = EXPECTED[fault]
  if (at.length === 1) return `${form} (key ${at[0]} ${one})`
  const more = at.length > MAX_POSITIONS ? ` and ${at.length - MAX_POSITIONS} more` : ''
  return `${form} (keys ${at.slice(0, MAX_POSITIONS).join(', ')}${more} ${several})`
}

function faultText(count: number, expected: readonly string[]): string {
  if (count === 0) return 'WEBHOOK_KEYS holds no key: none is set.'
  return `WEBHOOK_KEYS holds no key that can be used. Expected: ${expected.join('; ')}.`
}
