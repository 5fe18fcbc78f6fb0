/**
 * Filter: `property=` conditions such as `title==Chatlio` or `sourceConnectionIds[]==ID`. Pure.
 * A path that leads to several values matches when any of them does (`!=`: when none is equal).
 */
import { isObject, type JsonObject } from '../streaming/message.ts'

const OPERATORS = ['==', '!=', '<=', '>=', '~', '<', '>'] as const
type Operator = (typeof OPERATORS)[number]
/** Without operator: the property exists. */
export type Condition = {
  readonly path: string
  readonly operator: Operator | null
  /** Several, separated by commas, are alternatives. */
  readonly values: readonly string[]
}

export function parseCondition(text: string): Condition {
  const found = OPERATORS.map((operator) => ({ operator, at: text.indexOf(operator) }))
    .filter(({ at }) => at >= 0)
    // `>=` begins where `>` does: the longer one is meant.
    .sort((a, b) => a.at - b.at || b.operator.length - a.operator.length)[0]
  if (!found) return { path: text, operator: null, values: [] }
  const value = text.slice(found.at + found.operator.length)
  return { path: text.slice(0, found.at), operator: found.operator, values: [value] }
}

/** Flow Service takes alternatives: `id==A,B`. */
export function withAlternatives(condition: Condition): Condition {
  return { ...condition, values: condition.values.flatMap((value) => value.split(',')) }
}

export function holds(condition: Condition, object: JsonObject): boolean {
  const { path, operator, values } = condition
  const found = valuesAt(object, path.replaceAll('[]', '').split('.'))
  switch (operator) {
    case null:
      return found.length > 0
    case '==':
      return found.some((value) => values.includes(String(value)))
    case '!=':
      return !found.some((value) => values.includes(String(value)))
    case '~':
      return found.some((value) => values.some((pattern) => matches(String(value), pattern)))
    default:
      return found.some((value) => values.some((limit) => compare(value, operator, limit)))
  }
}

function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path))
  const [key, ...rest] = path
  if (key === undefined) return value === undefined || value === null ? [] : [value]
  // A key may itself have dots in it, so the whole rest is tried first.
  if (!isObject(value)) return []
  const whole = path.join('.')
  if (Object.hasOwn(value, whole)) return valuesAt(value[whole], [])
  return Object.hasOwn(value, key) ? valuesAt(value[key], rest) : []
}

function matches(value: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(value)
  } catch {
    return value.includes(pattern)
  }
}

function compare(value: unknown, operator: '<' | '>' | '<=' | '>=', limit: string): boolean {
  const numeric = typeof value === 'number' && limit.trim() !== '' && !Number.isNaN(Number(limit))
  const [a, b] = numeric ? [value, Number(limit)] : [String(value), limit]
  switch (operator) {
    case '<':
      return a < b
    case '>':
      return a > b
    case '<=':
      return a <= b
    case '>=':
      return a >= b
  }
}
