/**
 * How one event differs from the documented shape of its kind.
 *
 * Promises: no value is looked at beyond its type and its size, none is kept; the number of findings is bounded. Keys that
 * look like data become `*`: a map keyed by addresses, ids or words of a visitor must neither tell them nor fill the list.
 * Pure.
 */
import type { StoredKind } from '../chatlio/kind.ts'
import { isLongNumber, isObject, type JsonObject } from '../lib/json.ts'
import { MAX_DRIFT_FINDINGS } from '../limits.ts'
import type { Finding } from './drift.ts'
import { DOCUMENTED, type Documented } from './drift.ts'

/** Longest name shown; no documented one is half as long. */
const MAX_NAME = 40

/** Unknown keys beside each other above this are a map. */
const MAX_NEW_SIBLINGS = 20

/** The name of a key, if it is one and not data. Accepts: a name with many digits in it is hidden too. */
export function shownName(key: string): string {
  if (key.length > MAX_NAME || !/^[A-Za-z_$][\w$-]*$/.test(key)) return '*'
  // Digits by themselves number a field (`line2`); many, or between letters again and again, are an id.
  if (/\d{4}/.test(key)) return '*'
  const turns = key.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
  return turns > 2 || (turns > 0 && key.length > 20) ? '*' : key
}

export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (isLongNumber(value)) return 'number'
  return Array.isArray(value) ? 'array' : typeof value
}

/** `string(14)`, `array(3)`, `object(2)`: how much there is, not what. */
export function maskedShape(value: unknown): string {
  if (typeof value === 'string') return `string(${value.length})`
  if (Array.isArray(value)) return `array(${value.length})`
  return isObject(value) ? `object(${Object.keys(value).length})` : typeOf(value)
}

/** Valid or not: fields that are new or of another type, and which of the documented ones are there. */
export function analyze(
  kind: StoredKind,
  payload: unknown,
): { findings: Finding[]; present: string[] } {
  const findings = new Map<string, Finding>()
  const present = new Set<string>()
  const documented = kind === 'auto' ? {} : DOCUMENTED[kind]
  if (isObject(payload)) walk(payload, '', documented, findings, present)
  return { findings: [...findings.values()], present: [...present] }
}

function walk(
  holder: JsonObject,
  prefix: string,
  documented: Documented,
  findings: Map<string, Finding>,
  present: Set<string>,
): void {
  const keys = Object.keys(holder)
  const unknown = keys.filter((key) => !Object.hasOwn(documented, prefix + key))
  const isMap = unknown.length > MAX_NEW_SIBLINGS
  for (const key of keys) {
    const value = holder[key]
    const path = prefix + key
    const expected = Object.hasOwn(documented, path) ? documented[path] : undefined
    const to = typeOf(value)
    if (expected === undefined) {
      const shown = prefix + (isMap ? '*' : shownName(key))
      const finding = { from: null, to, sample: maskedShape(value) }
      add(findings, { path: shown, change: 'new', ...finding })
      continue
    }
    present.add(path)
    if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) continue
    if (!expected.split(' or ').includes(to)) {
      add(findings, { path, change: 'type', from: expected, to, sample: maskedShape(value) })
    } else if (isObject(value) && Object.hasOwn(documented, firstBelow(path, documented))) {
      walk(value, `${path}.`, documented, findings, present)
    } else if (Array.isArray(value) && Object.hasOwn(documented, `${path}.*`)) {
      for (const item of value.filter(isObject)) {
        present.add(`${path}.*`)
        walk(item, `${path}.*.`, documented, findings, present)
      }
    }
  }
}

/** Some documented path below; empty where what is below is the customer's own. */
function firstBelow(path: string, documented: Documented): string {
  return Object.keys(documented).find((each) => each.startsWith(`${path}.`)) ?? ''
}

function add(findings: Map<string, Finding>, finding: Finding): void {
  const key = `${finding.change} ${finding.path}`
  if (findings.size < MAX_DRIFT_FINDINGS && !findings.has(key)) findings.set(key, finding)
}
