/**
 * Path: field paths of a mapping, such as `visitor.UUID`, `messages[*].text`, `tags[0]` or `${First Name}`.
 * Pure. A path through all items of an array gives a list with a place for each item, so that the fields of
 * one item stay together.
 */
import { isObject } from '../../streaming/message.ts'

/** A field, an item of an array, or all its items. */
type Path = readonly ({ key: string } | { index: number } | { all: true })[]

const PART = /^(?:\$\{([^}]+)\}|([^.[\]{}]+))((?:\[(?:\*|\d*)\])*)$/

/** Null when this is no path. */
export function parsePath(text: string): Path | null {
  const steps: Path[number][] = []
  const parts = text.match(/(?:\$\{[^}]+\}|[^.])+/g) ?? []
  if (parts.join('.') !== text || text !== text.trim()) return null
  for (const part of parts) {
    const match = PART.exec(part)
    if (!match) return null
    const [, wrapped, plain, brackets = ''] = match
    steps.push({ key: wrapped ?? plain ?? '' })
    for (const [, inside] of brackets.matchAll(/\[(\*|\d*)\]/g)) {
      steps.push(inside && inside !== '*' ? { index: Number(inside) } : { all: true })
    }
  }
  return steps.length > 0 ? steps : null
}

export const keysOf = (path: Path): readonly string[] =>
  path.flatMap((step) => ('key' in step ? [step.key] : []))

/** Marks the list that a step over all items made, to tell it from an array that is a value. */
export class Each {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/** Undefined where there is nothing. */
export function read(value: unknown, path: Path): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if ('all' in step) {
    return Array.isArray(value) ? new Each(value.map((item) => read(item, rest))) : undefined
  }
  if ('index' in step) return read(Array.isArray(value) ? value[step.index] : undefined, rest)
  return read(isObject(value) && Object.hasOwn(value, step.key) ? value[step.key] : undefined, rest)
}

/** Nothing is written where the value is missing; returns the target, made if need be. */
export function write(target: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value instanceof Each ? value.items : value
  if ('key' in step) {
    const object = isObject(target) ? (target as Record<string, unknown>) : {}
    const existing = Object.hasOwn(object, step.key) ? object[step.key] : undefined
    Object.defineProperty(object, step.key, {
      value: write(existing, rest, value),
      writable: true,
      enumerable: true,
      configurable: true,
    })
    return object
  }
  const list: unknown[] = Array.isArray(target) ? target : []
  if ('index' in step) {
    list[step.index] = write(list[step.index], rest, value)
    return list
  }
  const items = value instanceof Each || Array.isArray(value) ? itemsOf(value) : [value]
  for (const [index, item] of items.entries()) {
    if (item !== undefined && item !== null) list[index] = write(list[index], rest, item)
    else if (list[index] === undefined) list[index] = rest.length > 0 ? {} : null
  }
  return list
}

const itemsOf = (value: Each | readonly unknown[]): readonly unknown[] =>
  value instanceof Each ? value.items : value
