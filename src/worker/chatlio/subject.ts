/**
 * Whose event it is, and which conversation: what operators look an event up by, and what a privacy request erases.
 *
 * Promises: reads what arrived, valid or not, in the same documented places as normalizing does; a person is the visitor
 * UUID, `visitor.email`, a transcript's `visitorEmail` and an offline message's `email`, never an agent or anybody who is
 * only mentioned. Where a body is no JSON object, its text is searched for addresses instead. Pure, and never throws.
 */
import { isObject, type JsonObject, type Parsed } from '../lib/json.ts'
import type { StoredKind } from './kind.ts'

/** Emails and ids as they are compared: trimmed, emails in lower case. */
export type Subject = {
  conversation: string | null
  visitor: string | null
  emails: readonly string[]
}

/** What a person is known by. */
export type PersonKey = { field: 'email' | 'visitor'; value: string }

/** Longer values identify nobody (an address has 254 characters at most), and are not worth hashing. */
const MAX_VALUE_CHARACTERS = 1_024

/** Addresses taken from a text that is no JSON. */
const MAX_EMAILS_IN_TEXT = 20

/** The same address or id in one form only. */
export function normalizedKey({ field, value }: PersonKey): PersonKey {
  const trimmed = value.trim()
  return { field, value: field === 'email' ? trimmed.toLowerCase() : trimmed }
}

const NOBODY: Subject = { conversation: null, visitor: null, emails: [] }

/** An event that our own code fails on names nobody: it must not be lost for that. */
export function subjectOf(kind: StoredKind, parsed: Parsed, body: Uint8Array): Subject {
  try {
    return namedIn(kind, parsed, body)
  } catch {
    return NOBODY
  }
}

function namedIn(kind: StoredKind, parsed: Parsed, body: Uint8Array): Subject {
  if (!parsed.ok || !isObject(parsed.value)) {
    return { conversation: null, visitor: null, emails: emailsIn(textOfBytes(body)) }
  }
  const json = parsed.value
  const visitor: JsonObject = isObject(json.visitor) ? json.visitor : {}
  const emails = [visitor.email]
  if (kind === 'transcript' || kind === 'auto') emails.push(json.visitorEmail)
  if (kind === 'offline-message' || kind === 'auto') emails.push(json.email)
  const known = emails.map((email) => textValue(email)?.toLowerCase() ?? null)
  return {
    conversation: textValue(json.conversationUUID),
    visitor: textValue(visitor.UUID),
    emails: [...new Set(known.filter((email) => email !== null))],
  }
}

/** Whether the event is this person's. */
export function isOf({ field, value }: PersonKey, { visitor, emails }: Subject): boolean {
  return field === 'visitor' ? visitor === value : emails.includes(value)
}

export function namesNobody({ visitor, emails }: Subject): boolean {
  return visitor === null && emails.length === 0
}

function textValue(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > MAX_VALUE_CHARACTERS) return null
  return value.trim() || null
}

/** Not fatal: a body that is not UTF-8 is searched as far as it can be read (UTF-16 too: its ASCII has zeros between). */
export function textOfBytes(body: Uint8Array): string {
  return new TextDecoder().decode(body).replaceAll('\0', '')
}

function emailsIn(text: string): string[] {
  const found = new Set<string>()
  for (const [address] of text
    .toLowerCase()
    .matchAll(/[^\s@"'<>\\,;:(){}[\]]{1,64}@[a-z0-9.-]{1,253}[a-z0-9]/g)) {
    found.add(address)
    if (found.size >= MAX_EMAILS_IN_TEXT) break
  }
  return [...found]
}

/** Whether a text contains the value as a whole: `da@example.com` is not in `ada@example.com`. Both in lower case. */
export function mentions(text: string, value: string): boolean {
  for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
    const before = text.slice(Math.max(at - 1, 0), at)
    const after = text.slice(at + value.length, at + value.length + 2)
    if (!/[\p{L}\p{N}._%+-]/u.test(before) && !/^(?:[\p{L}\p{N}_-]|\.[\p{L}\p{N}])/u.test(after))
      return true
  }
  return false
}

/** Every string in a JSON value, names included, a line each: escapes and nesting hide nothing. Iterative. */
export function stringsOf(value: unknown): string {
  const found: string[] = []
  const left: unknown[] = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next === 'string') found.push(next)
    else if (Array.isArray(next)) for (const item of next) left.push(item)
    else if (isObject(next)) {
      for (const [name, held] of Object.entries(next)) {
        found.push(name)
        left.push(held)
      }
    }
  }
  return found.join('\n')
}
