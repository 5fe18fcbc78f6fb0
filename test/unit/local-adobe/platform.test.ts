import { describe, expect, it } from 'vitest'
import {
  holds,
  parseCondition,
  withAlternatives,
} from '../../../src/local-adobe/platform/filter.ts'
import { applyPatch } from '../../../src/local-adobe/platform/json-patch.ts'
import { validate } from '../../../src/local-adobe/platform/registry/validate.ts'

describe('a condition of property=', () => {
  const object = { title: 'A=B', 'meta:extends': ['x', 'y'], nested: { id: 5, flag: true } }
  it.each([
    ['title==A=B', true],
    ['title==A', false],
    ['title!=A', true],
    ['title~^A', true],
    ['title', true],
    ['none', false],
    ['meta:extends==y', true],
    ['meta:extends!=y', false],
    ['meta:extends[]==x', true],
    ['nested.flag==true', true],
    ['nested.id>=5', true],
    ['nested.id>10', false],
    ['nested.id<10', true],
    ['toString', false],
  ])('%s is %s', (text, expected) => {
    expect(holds(parseCondition(text), object)).toBe(expected)
  })

  it('takes alternatives where the service does', () => {
    const condition = withAlternatives(parseCondition('nested.id==4,5'))
    expect(holds(condition, object)).toBe(true)
  })
})

describe('a JSON Patch', () => {
  const document = { a: { b: [1, 2] }, 'c/d': 1 }
  const patched = (...operations: unknown[]) => applyPatch(document, operations)

  it('adds, replaces, removes and tests, with names in any case', () => {
    const result = patched(
      { op: 'Add', path: '/a/b/-', value: 3 },
      { op: 'REPLACE', path: '/c~1d', value: 2 },
      { op: 'test', path: '/a/b', value: [1, 2, 3] },
      { op: 'remove', path: '/a/b/0' },
    )
    expect(result).toEqual({ ok: true, value: { a: { b: [2, 3] }, 'c/d': 2 } })
    expect(document).toEqual({ a: { b: [1, 2] }, 'c/d': 1 })
  })

  it.each([
    [{ op: 'move', path: '/a', from: '/b' }, { unsupported: 'move' }],
    [{ op: 'replace', path: '/none', value: 1 }, { missing: 'none' }],
    [{ op: 'remove', path: '/a/b/7' }, { missing: '7' }],
    [{ op: 'add', path: '/a' }, { missing: 'value' }],
    [{ op: 'add', value: 1 }, { missing: 'path' }],
    [{ op: 'add', path: '/x/y', value: 1 }, { missing: '/x/y' }],
  ])('%j is refused', (operation, failure) => {
    expect(patched(operation)).toEqual({ ok: false, failure })
  })

  it('does not reach the prototype', () => {
    patched({ op: 'add', path: '/__proto__/polluted', value: 1 })
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('validation', () => {
  const schema = {
    type: 'object',
    required: ['_id'],
    properties: {
      _id: { type: 'string', format: 'uri-reference', pattern: '^[^:]+$' },
      at: { type: 'string', format: 'date-time' },
      n: { type: 'integer', minimum: 0 },
      kind: { enum: ['a', 'b'] },
      ip: { type: 'string', format: 'ipv4' },
      tags: { type: 'array', items: { type: 'string' } },
      open: { type: 'object' },
    },
  }
  it('finds nothing wrong with what is right', () => {
    const entity = {
      _id: 'a',
      at: '2026-01-01T00:00:00.000Z',
      n: 0,
      kind: 'a',
      ip: '192.0.2.1',
      tags: [],
      open: { any: 1 },
    }
    expect(validate(schema, entity)).toEqual([])
  })

  it.each([
    [{}, '', 'required'],
    [{ _id: 1 }, '/_id', 'type'],
    [{ _id: 'a:b' }, '/_id', 'pattern'],
    [{ _id: 'a', at: 'yesterday' }, '/at', 'format'],
    [{ _id: 'a', at: '2026-01-01T00:00:00' }, '/at', 'format'],
    [{ _id: 'a', n: 1.5 }, '/n', 'type'],
    [{ _id: 'a', n: -1 }, '/n', 'minimum'],
    [{ _id: 'a', kind: 'c' }, '/kind', 'enum'],
    [{ _id: 'a', ip: '300.0.0.1' }, '/ip', 'format'],
    [{ _id: 'a', tags: ['x', 1] }, '/tags/1', 'type'],
    [{ _id: 'a', none: null }, '', 'additionalProperties'],
  ])('%j fails at %s by %s', (entity, pointer, keyword) => {
    expect(validate(schema, entity)).toMatchObject([{ pointer, keyword }])
  })
})
