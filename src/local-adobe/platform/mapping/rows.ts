/**
 * Rows: the lines of a mapping set. Both dialects are read (`source` and `destination`, `sourceAttribute`
 * and `destinationXdmPath`), checked against the target schema, and applied to a source record.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { fieldAt, type Schema } from '../registry/resolve.ts'
import { coerce, NotCoercible } from './coerce.ts'
import { ExpressionError, evaluate, parseExpression, RESERVED } from './expression.ts'
import { Each, keysOf, parsePath, read, write } from './path.ts'

export type Row = {
  readonly source: string
  readonly destination: string
  readonly sourceType: 'ATTRIBUTE' | 'EXPRESSION' | 'STATIC'
}

type RowError = {
  readonly destination: string
  readonly exception: string
  readonly source: string
  readonly sourceType: string
}

/** Null when a row has neither dialect's names. */
export function readRow(input: unknown): Row | null {
  if (!isObject(input)) return null
  const source = input.source ?? input.sourceAttribute
  const destination = input.destination ?? input.destinationXdmPath
  if (typeof source !== 'string' || typeof destination !== 'string') return null
  const type = String(input.sourceType ?? 'ATTRIBUTE').toUpperCase()
  const sourceType = type === 'EXPRESSION' || type === 'TEXT/X.AEP-XL' ? 'EXPRESSION' : type
  return {
    source,
    destination: destination.replace(/^\//, '').replaceAll('/', '.'),
    sourceType: sourceType === 'EXPRESSION' || sourceType === 'STATIC' ? sourceType : 'ATTRIBUTE',
  }
}

/** The faults of one row; `schema` is the target's. */
export function rowProblems(row: Row, schema: Schema): readonly string[] {
  const destination = parsePath(row.destination)
  const problems: string[] = []
  if (!destination || !fieldAt(schema, keysOf(destination))) {
    problems.push(`The destination path ${row.destination} does not exist in the target schema`)
  }
  if (row.sourceType === 'ATTRIBUTE') {
    const source = parsePath(row.source)
    if (!source) problems.push(`The source ${row.source} is not a field path`)
    const reserved = row.source.split(/[.[\]]/).find((word) => RESERVED.has(word))
    if (reserved) problems.push(`The reserved word ${reserved} must be wrapped: \${${reserved}}`)
  }
  if (row.sourceType === 'EXPRESSION') {
    try {
      parseExpression(row.source)
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      problems.push(error.message)
    }
  }
  return problems
}

type Mapped = { readonly data: JsonObject; readonly errors: readonly RowError[] }

/** Rows in order; a later one overwrites what an earlier one wrote to the same place. */
export function applyRows(
  rows: readonly Row[],
  record: JsonObject,
  schema: Schema,
  now: number,
): Mapped {
  const errors: RowError[] = []
  const data: JsonObject = {}
  for (const row of rows) {
    try {
      const value = valueFor(row, record, now)
      const path = parsePath(row.destination)
      if (path && value !== undefined && value !== null) {
        const field = fieldAt(schema, keysOf(path)) ?? {}
        write(
          data,
          path,
          coerced(
            field,
            value,
            path.some((step) => 'all' in step),
          ),
        )
      }
    } catch (error) {
      if (!(error instanceof NotCoercible) && !(error instanceof ExpressionError)) throw error
      const { source, destination, sourceType } = row
      errors.push({ destination, exception: error.message, source, sourceType })
    }
  }
  return { data, errors }
}

function valueFor(row: Row, record: JsonObject, now: number): unknown {
  switch (row.sourceType) {
    case 'STATIC':
      return row.source
    case 'EXPRESSION':
      return evaluate(parseExpression(row.source), record, now)
    case 'ATTRIBUTE':
      return read(record, parsePath(row.source) ?? [])
  }
}

/** `spread`: the destination goes over all items of an array, so each value is one item's. */
function coerced(field: Schema, value: unknown, spread: boolean): unknown {
  const present = (item: unknown) => item !== undefined && item !== null
  if (value instanceof Each) {
    if (!spread) return coerce(field, value.items.filter(present))
    const one = field.type === 'array' && field.items ? field.items : field
    return new Each(
      value.items.map((item) => (present(item) ? coerceItem(one, item, spread) : null)),
    )
  }
  if (spread && Array.isArray(value)) {
    const one = field.type === 'array' && field.items ? field.items : field
    return value.map((item) => (present(item) ? coerce(one, item) : null))
  }
  return coerce(spread && field.type === 'array' && field.items ? field.items : field, value)
}

const coerceItem = (field: Schema, item: unknown, spread: boolean): unknown =>
  item instanceof Each ? coerced(field, item, spread) : coerce(field, item)
