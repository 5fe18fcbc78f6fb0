import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cutAt,
  exceededLimit,
  isObject,
  parseEmbedded,
  parseJson,
  utf8Length,
} from '../../src/worker/lib/json.ts'
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../src/worker/limits.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const brackets = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const BOM = '\uFEFF'

describe('bytes to JSON', () => {
  it.each([
    ['an object', '{"a":[1,"x",null,true,-0.5e3]}', { a: [1, 'x', null, true, -500] }],
    ['white space around it', ' \t\r\n{"a":1}\n', { a: 1 }],
    ['a byte order mark before it', `${BOM}{"a":1}`, { a: 1 }],
    ['several byte order marks', `${BOM}${BOM}${BOM}{"a":1}`, { a: 1 }],
    ['a value other than an object', '"Hi"', 'Hi'],
    ['null', 'null', null],
    ['text of two, three and four bytes', '{"a":"é€😀"}', { a: 'é€😀' }],
    ['a byte order mark inside a text', `{"a":"${BOM}x"}`, { a: `${BOM}x` }],
    ['the last of duplicate keys', '{"a":1,"b":2,"a":{"c":3}}', { a: { c: 3 }, b: 2 }],
  ])('reads %s', (_, text, value) => {
    expect(parseJson(utf8(text))).toEqual({ ok: true, value, text: expect.any(String) })
  })

  it.each([
    ['nothing', ''],
    ['only white space', ' \n'],
    ['only a byte order mark', BOM],
    ['a byte order mark after white space', ` ${BOM}{}`],
    ['JSON cut off', '{"message":"Hi'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['NaN', '{"a":NaN}'],
    ['a bare NUL inside a text', '{"a":"\0"}'],
    ['a form post', 'message=Hi'],
    ['100,000 levels that never close', '['.repeat(100_000)],
  ])('finds %s malformed', (_, text) => {
    expect(parseJson(utf8(text))).toEqual({ ok: false })
  })

  it.each([
    ['a continuation byte alone', [0x80]],
    ['Latin-1', [0x41, 0xe9, 0x41]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a code point beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a code point cut short', [0xf0, 0x9f, 0x98]],
  ])('finds text with %s malformed, and never reads replacement characters', (_, bytes) => {
    const body = [...utf8('{"a":"'), ...bytes, ...utf8('"}')]
    expect(parseJson(new Uint8Array(body))).toEqual({ ok: false })
  })

  it('finds UTF-16 malformed', () => {
    const utf16 = [0xff, 0xfe, ...[...'{"a":1}'].flatMap((char) => [char.charCodeAt(0), 0])]
    expect(parseJson(new Uint8Array(utf16))).toEqual({ ok: false })
  })

  it('reads a valid body after one that was cut inside a code point', () => {
    expect(parseJson(new Uint8Array([0x22, 0xf0, 0x9f]))).toEqual({ ok: false })
    expect(parseJson(utf8(`${BOM}"é"`))).toMatchObject({ ok: true, value: 'é' })
  })

  it('keeps lone surrogates and NULs from escapes, and writes them as valid JSON', () => {
    const text = String.raw`{"text":"a\ud800b\udc00c\u0000d"}`
    const parsed = parseJson(utf8(text))
    const value = parsed.ok ? (parsed.value as { text: string }) : { text: '' }
    expect([...value.text].map((char) => char.codePointAt(0))).toEqual([
      0x61, 0xd800, 0x62, 0xdc00, 0x63, 0, 0x64,
    ])
    expect(JSON.stringify(value)).toBe(text)
  })

  it('treats keys named like prototypes as ordinary keys', () => {
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    const parsed = parseJson(utf8(text))
    expect(parsed.ok && JSON.stringify(parsed.value)).toBe(text)
    expect(parsed.ok && Object.getPrototypeOf(parsed.value)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('reads 100,000 levels without a stack overflow', () => {
    expect(parseJson(utf8(brackets(100_000))).ok).toBe(true)
    expect(parseJson(utf8(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)).ok).toBe(true)
  })
})

describe('numbers', () => {
  const rewritten = (text: string) => {
    const parsed = parseJson(utf8(text))
    return parsed.ok ? JSON.stringify(parsed.value) : 'malformed'
  }

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890123',
    '1e400',
    '-1e400',
    '1e-400',
    '0.1234567890123456789',
    '1.7976931348623159E308',
    '9007199254740993e-3',
  ])('that a double cannot hold stay as they are written: %s', (number) => {
    expect(rewritten(number)).toBe(number)
    expect(rewritten(`{"a":[${number}, ${number}],"b":${number}}`)).toBe(
      `{"a":[${number},${number}],"b":${number}}`,
    )
    expect(JSON.stringify(parseEmbedded(`{"a":${number}}`))).toBe(`{"a":${number}}`)
  })

  it.each([
    ['9007199254740991', '9007199254740991'],
    ['9007199254740992', '9007199254740992'],
    ['1E2', '100'],
    ['1.50', '1.5'],
    ['0.1', '0.1'],
    ['0e999', '0'],
    ['1000000000000000000000', '1e+21'],
    ['1e+21', '1e+21'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['52.370215700000000', '52.3702157'],
  ])('that a double holds are numbers: %s', (text, written) => {
    const parsed = parseJson(utf8(text))
    expect(parsed.ok && typeof parsed.value).toBe('number')
    expect(rewritten(text)).toBe(written)
  })

  it('stay equal, whatever whole numbers they are', () => {
    const digits = fc
      .bigInt({ min: -(10n ** 21n) + 1n, max: 10n ** 21n - 1n })
      .map((value) => ({ value, text: String(value) }))
    fc.assert(
      fc.property(digits, ({ value, text }) => {
        expect(BigInt(rewritten(`[${text}]`).slice(1, -1))).toBe(value)
      }),
      { numRuns: 500 },
    )
  })

  it('are no objects, whatever the runtime makes of them', () => {
    const parsed = parseJson(utf8('1e400'))
    expect(parsed.ok && isObject(parsed.value)).toBe(false)
  })

  it('take time in proportion to their length: its square would be minutes', () => {
    const bytes = utf8(`[1e5,1${'0'.repeat(1_000_000)}1,"${':1.'.repeat(300_000)}"]`)
    expect(parseJson(bytes).ok).toBe(true)
  })
})

describe('isObject', () => {
  it.each([
    [{}, true],
    [{ length: 0 }, true],
    [[], false],
    [null, false],
    [undefined, false],
    ['{}', false],
    [0, false],
    [true, false],
  ])('says of %j: %s', (value, expected) => {
    expect(isObject(value)).toBe(expected)
  })
})

describe('exceededLimit, of depth', () => {
  it.each([
    ['a text', '"[[[["', 0, false],
    ['null', 'null', 0, false],
    ['an empty array, at no levels', '[]', 0, true],
    ['an empty object, at no levels', '{}', 0, true],
    ['an empty array, at one level', '[]', 1, false],
    ['two levels, at two', '[[]]', 2, false],
    ['two levels, at one', '[[]]', 1, true],
    ['objects and arrays mixed, at their depth', '{"a":[{"b":[1]}]}', 4, false],
    ['objects and arrays mixed, above it', '{"a":[{"b":[1]}]}', 3, true],
    ['a deep last member', '{"a":1,"b":[2],"c":[[[]]]}', 3, true],
    ['depth under a key named __proto__', '{"__proto__":{"a":{}}}', 2, true],
  ])('counts every level: %s', (_, text, limit, deeper) => {
    const exceeded = exceededLimit(JSON.parse(text), { depth: limit, values: 100 })
    expect(exceeded).toBe(deeper ? 'depth' : null)
  })

  it('uses MAX_JSON_DEPTH by default, at which JSON can still be written', () => {
    const deepest: unknown = JSON.parse(brackets(MAX_JSON_DEPTH))
    expect(exceededLimit(deepest)).toBeNull()
    expect(JSON.stringify(deepest)).toBe(brackets(MAX_JSON_DEPTH))
    expect(exceededLimit(JSON.parse(brackets(MAX_JSON_DEPTH + 1)))).toBe('depth')
  })

  it('finds 100,000 levels too deep without a stack overflow', () => {
    const objects = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    for (const deep of [brackets(100_000), objects]) {
      expect(exceededLimit(JSON.parse(deep))).toBe('depth')
    }
  })
})

describe('exceededLimit, of values', () => {
  it.each([
    ['a text', '"x"', 0, false],
    ['an empty array', '[]', 0, false],
    ['elements, at the limit', '[1,2,3]', 3, false],
    ['elements, above it', '[1,2,3]', 2, true],
    ['members, at the limit', '{"a":1,"b":2}', 2, false],
    ['members, above it', '{"a":1,"b":2}', 1, true],
    ['all levels together, at the limit', '{"a":[{},{"b":[1,2]}],"c":{}}', 7, false],
    ['all levels together, above it', '{"a":[{},{"b":[1,2]}],"c":{}}', 6, true],
  ])('counts object members and array elements: %s', (_, text, values, more) => {
    const exceeded = exceededLimit(JSON.parse(text), { depth: 100, values })
    expect(exceeded).toBe(more ? 'values' : null)
  })

  it('applies the limit of all JSON by default', () => {
    expect(exceededLimit(Array(MAX_JSON_VALUES).fill(0))).toBeNull()
    expect(exceededLimit(Array(MAX_JSON_VALUES + 1).fill(0))).toBe('values')
  })
})

describe('JSON inside a string', () => {
  it.each([
    ['{"plan":"gold","seats":3}', { plan: 'gold', seats: 3 }],
    ['[1,[2]]', [1, [2]]],
    [' {"a":1} ', { a: 1 }],
    ['3', 3],
    ['"text"', 'text'],
    ['false', false],
    ['null', null],
  ])('is parsed: %s', (text, value) => {
    expect(parseEmbedded(text)).toEqual(value)
  })

  it.each(['', 'gold', '{"plan":', "{'plan':'gold'}", '[object Object]', 'undefined'])(
    'is undefined if it is invalid: %j',
    (text) => {
      expect(parseEmbedded(text)).toBeUndefined()
    },
  )

  it('is undefined if it is too deep to be sent inside an event', () => {
    const deepest = MAX_JSON_DEPTH / 2
    expect(JSON.stringify(parseEmbedded(brackets(deepest)))).toBe(brackets(deepest))
    expect(parseEmbedded(brackets(deepest + 1))).toBeUndefined()
    expect(parseEmbedded(brackets(100_000))).toBeUndefined()
  })

  it('is undefined if it holds too many values to be sent beside the rest', () => {
    const list = (length: number) => JSON.stringify(Array(length).fill(0))
    expect(parseEmbedded(list(MAX_JSON_VALUES / 2))).toHaveLength(MAX_JSON_VALUES / 2)
    expect(parseEmbedded(list(MAX_JSON_VALUES / 2 + 1))).toBeUndefined()
  })
})

describe('a cut', () => {
  /** At each edge of how many bytes a sign takes, in UTF-8 or as JSON escapes it. */
  const EDGES = [0x1f, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff]
  const signs = [...EDGES, 0xdc00, 0xdfff, 0xe000, 0xffff, 0x0a].map((unit) =>
    String.fromCharCode(unit),
  )
  const between = (text: string) => utf8Length(JSON.stringify(text)) - 2

  it('is as late as the bytes between quotes allow, and never inside a pair', () => {
    const texts = fc.array(fc.constantFrom(...signs, 'a', '\ud83d\ude00'), { maxLength: 12 })
    fc.assert(
      fc.property(texts, fc.nat(24), (parts, most) => {
        const text = parts.join('')
        const end = cutAt(text, 0, most)
        const [piece, next] = [text.slice(0, end), [...text.slice(end)][0] ?? '']
        const [first = ''] = text
        expect(end === text.length || next !== '').toBe(true)
        if (piece !== first) expect(between(piece)).toBeLessThanOrEqual(most)
        if (end < text.length) expect(between(piece + next)).toBeGreaterThan(most)
        expect([...piece, ...text.slice(end)].join('')).toBe(text)
        expect([...text.slice(0, end)].length + [...text.slice(end)].length).toBe([...text].length)
      }),
    )
  })
})
