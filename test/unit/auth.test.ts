import { describe, expect, it, vi } from 'vitest'
import { holdsKey } from '../../src/worker/http/auth.ts'

const KEY = 'correct-horse-battery-staple'
const OLD = 'the-key-that-is-rotated-out'

describe('a caller', () => {
  it('is admitted with any of the configured keys', async () => {
    const keys = [OLD, KEY, 'x'.repeat(20)]
    for (const key of keys) expect(await holdsKey(key, keys)).toBe(true)
  })

  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['the beginning of a key', KEY.slice(0, -1)],
    ['the end of a key', KEY.slice(1)],
    ['more than a key', `${KEY}x`],
    ['a key with a blank before it', ` ${KEY}`],
    ['a key with a NUL after it', `${KEY}\0`],
    ['a key in capitals', KEY.toUpperCase()],
    ['all keys at once', `${KEY},${OLD}`],
    ['a key escaped for a URL', 'correct%2Dhorse-battery-staple'],
    ['something of the same length', 'x'.repeat(KEY.length)],
    ['the word undefined', 'undefined'],
  ])('is refused with %s', async (_, given) => {
    expect(await holdsKey(given, [KEY, OLD])).toBe(false)
  })

  it('is refused if no key is configured', async () => {
    for (const given of [undefined, '', KEY, 'undefined']) {
      expect(await holdsKey(given, [])).toBe(false)
    }
  })

  it('is admitted with a base64 key pasted into a URL unescaped', async () => {
    const key = 'ab+cd/ef+ghijklmnopq=='
    const pasted = new URL(`https://relay.example/chatlio?key=${key}`).searchParams.get('key')
    expect(pasted).not.toBe(key)
    expect(await holdsKey(pasted ?? undefined, [key])).toBe(true)
    expect(await holdsKey(key, [key])).toBe(true)
    expect(await holdsKey(key.replaceAll('+', '-'), [key])).toBe(false)
  })

  it('is admitted with a key of any characters', async () => {
    const key = 'schlüssel-🔑-schlüssel-🔑'
    expect(await holdsKey(key, [key])).toBe(true)
    expect(await holdsKey(key.normalize('NFD'), [key])).toBe(false)
  })
})

describe('the comparison', () => {
  it('compares hashes of one length, in constant time, with every key', async () => {
    const equal = vi.spyOn(crypto.subtle, 'timingSafeEqual')
    const keys = [KEY, OLD, 'a much longer key than any of the other two']
    for (const given of [KEY, 'x', 'x'.repeat(1_000)]) {
      equal.mockClear()
      await holdsKey(given, keys)
      expect(equal).toHaveBeenCalledTimes(3)
      for (const sides of equal.mock.calls) {
        expect(sides.map(({ byteLength }) => byteLength)).toEqual([32, 32])
      }
    }
  })

  it('hashes configured keys once, and the given one each time', async () => {
    const keys = [KEY, OLD]
    await holdsKey('first', keys)
    const digest = vi.spyOn(crypto.subtle, 'digest')
    expect(await holdsKey(KEY, keys)).toBe(true)
    expect(await holdsKey('third', keys)).toBe(false)
    expect(digest).toHaveBeenCalledTimes(2)
    expect(digest.mock.calls.map(([algorithm]) => algorithm)).toEqual(['SHA-256', 'SHA-256'])
  })

  it('keeps two configurations apart', async () => {
    const before = [OLD]
    const after = [KEY]
    expect(await holdsKey(OLD, before)).toBe(true)
    expect(await holdsKey(OLD, after)).toBe(false)
    expect(await holdsKey(KEY, after)).toBe(true)
    expect(await holdsKey(KEY, before)).toBe(false)
  })
})
