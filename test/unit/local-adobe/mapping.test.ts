import { describe, expect, it } from 'vitest'
import { parsePath, read } from '../../../src/local-adobe/platform/mapping/path.ts'
import {
  applyRows,
  type Row,
  readRow,
  rowProblems,
} from '../../../src/local-adobe/platform/mapping/rows.ts'
import type { Schema } from '../../../src/local-adobe/platform/registry/resolve.ts'
import { validate } from '../../../src/local-adobe/platform/registry/validate.ts'

const text: Schema = { type: 'string' }
const SCHEMA: Schema = {
  type: 'object',
  properties: {
    _id: text,
    timestamp: { type: 'string', format: 'date-time' },
    count: { type: 'integer' },
    ok: { type: 'boolean' },
    tags: { type: 'array', items: text },
    list: {
      type: 'array',
      items: { type: 'object', properties: { a: text, n: { type: 'integer' } } },
    },
    identityMap: {
      type: 'object',
      additionalProperties: {
        type: 'array',
        items: { type: 'object', properties: { id: text, primary: { type: 'boolean' } } },
      },
    },
  },
}
const row = (source: string, destination: string): Row => ({
  source,
  destination,
  sourceType: 'ATTRIBUTE',
})
const map = (record: Record<string, unknown>, ...rows: Row[]) => applyRows(rows, record, SCHEMA, 0)

describe('rows of a mapping set', () => {
  it('are read in both dialects, with any name for the type of an attribute', () => {
    const expected = row('a', 'b.c')
    expect(readRow({ source: 'a', destination: 'b.c' })).toEqual(expected)
    expect(readRow({ sourceAttribute: 'a', destinationXdmPath: '/b/c' })).toEqual(expected)
    const readBack = { sourceType: 'text/x.schema-path', source: 'a', destination: 'b.c' }
    expect(readRow(readBack)).toEqual(expected)
    expect(readRow({ source: 'a' })).toBeNull()
  })

  it('convert to the type of their field', () => {
    const record = { n: '5', t: 1_700_000_000_000, b: 'true', one: 'x', id: 7 }
    const rows = [row('n', 'count'), row('t', 'timestamp'), row('b', 'ok'), row('one', 'tags')]
    expect(map(record, ...rows, row('id', '_id'))).toEqual({
      data: {
        count: 5,
        timestamp: '2023-11-14T22:13:20.000Z',
        ok: true,
        tags: ['x'],
        _id: '7',
      },
      errors: [],
    })
  })

  it.each([
    ['2026-11-24T12:00Z', '2026-11-24T12:00:00.000Z'],
    ['2026-11-24T13:00+01:00', '2026-11-24T12:00:00.000Z'],
    ['2026-11-24', '2026-11-24T00:00:00.000Z'],
    ['2026-11-24T13:00:00+01:00', '2026-11-24T13:00:00+01:00'],
  ])('make a date-time that the schema takes of %s', (from, to) => {
    const { data } = map({ t: from }, row('t', 'timestamp'))
    expect(data).toEqual({ timestamp: to })
    expect(validate(SCHEMA, data)).toEqual([])
  })

  it('name what cannot be converted without its value, and go on', () => {
    const { data, errors } = map({ n: 'secret', id: 'a' }, row('n', 'count'), row('id', '_id'))
    expect(data).toEqual({ _id: 'a' })
    expect(errors).toEqual([
      {
        source: 'n',
        destination: 'count',
        sourceType: 'ATTRIBUTE',
        exception: 'Cannot convert string to integer',
      },
    ])
  })

  it('keep the fields of an item together when some lack one', () => {
    const record = { m: [{ x: 'a', y: 1 }, { y: 2 }, { x: 'c' }] }
    const { data } = map(record, row('m[*].x', 'list[*].a'), row('m[*].y', 'list[*].n'))
    expect(data).toEqual({ list: [{ a: 'a', n: 1 }, { n: 2 }, { a: 'c' }] })
  })

  it('write nothing where the source has nothing', () => {
    expect(map({}, row('m[*].x', 'list[*].a'), row('x', '_id')).data).toEqual({})
  })

  it('write one item of a map of lists', () => {
    const rows = [row('id', 'identityMap.Email[0].id'), row('p', 'identityMap.Email[0].primary')]
    expect(map({ id: 'a', p: true }, ...rows).data).toEqual({
      identityMap: { Email: [{ id: 'a', primary: true }] },
    })
  })

  it('never reach the prototype', () => {
    const { data } = map({ x: 'a' }, row('x', '__proto__.polluted'), row('constructor.name', '_id'))
    expect(data._id).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it.each([
    [row('a', 'none'), 'does not exist'],
    [row('a', 'count.deeper'), 'does not exist'],
    [row('a.new', '_id'), 'must be wrapped'],
    [row('a b[', '_id'), 'is not a field path'],
  ])('%j has a problem: %s', (own, expected) => {
    expect(rowProblems(own, SCHEMA).join()).toContain(expected)
  })
})

describe('a path', () => {
  it.each(['', '.', 'a..b', 'a.', 'a[', ' a'])('is not %j', (own) => {
    expect(parsePath(own)).toBeNull()
  })

  it('reads fields with other characters in their name', () => {
    const path = parsePath('visitor.\u0024{first.name}')
    expect(read({ visitor: { 'first.name': 1 } }, path ?? [])).toBe(1)
  })
})
