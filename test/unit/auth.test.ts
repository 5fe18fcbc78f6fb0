import { describe, expect, it, vi } from 'vitest'
import { AccessKeys } from '../../src/worker/http/auth.ts'

const KEY = 'correct-horse-battery-staple'
const OLD = 'the-key-that-is-rotated-out'

const named = (key: string, name: string | null = null) => ({ key, name })

const isAdmitted = async (presented: string | undefined, keys: readonly string[]) =>
  (await new AccessKeys(keys.map((key) => named(key))).find(presented)) !== null

describe('a caller', () => {
  it('is admitted with any of the configured keys', async () => {
    const keys = [OLD, KEY, 'x'.repeat(20)]
    for (const key of keys) expect(await isAdmitted(key, keys)).toBe(true)
  })

  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['the beginning of a key', KEY.slice(0, -1)],
    ['the end of a key', KEY.slice(1)],
    ['more than a key', `${KEY}x`],
    ['a key with a blank in it', KEY.replace('-', ' ')],
    ['blanks alone', ' \t\n'],
    ['a key with a NUL after it', `${KEY}\0`],
    ['a key in capitals', KEY.toUpperCase()],
    ['all keys at once', `${KEY},${OLD}`],
    ['a key escaped for a URL', 'correct%2Dhorse-battery-staple'],
    ['something of the same length', 'x'.repeat(KEY.length)],
    ['the word undefined', 'undefined'],
  ])('is refused with %s', async (_, given) => {
    expect(await isAdmitted(given, [KEY, OLD])).toBe(false)
  })

  it('is refused if no key is configured', async () => {
    for (const given of [undefined, '', KEY, 'undefined']) {
      expect(await isAdmitted(given, [])).toBe(false)
    }
  })

  it('is admitted with a base64 key pasted into a URL unescaped', async () => {
    const key = 'ab+cd/ef+ghijklmnopq=='
    const pasted = new URL(`https://relay.example/chatlio?key=${key}`).searchParams.get('key')
    expect(pasted).not.toBe(key)
    expect(await isAdmitted(pasted ?? undefined, [key])).toBe(true)
    expect(await isAdmitted(key, [key])).toBe(true)
    expect(await isAdmitted(key.replaceAll('+', '-'), [key])).toBe(false)
  })

  it('is admitted with a key of any characters', async () => {
    const key = 'schlüssel-🔑-schlüssel-🔑'
    expect(await isAdmitted(key, [key])).toBe(true)
    expect(await isAdmitted(key.normalize('NFD'), [key])).toBe(false)
  })
})

describe('white space that came along when the URL was pasted', () => {
  it.each([' ', '\t', '\r\n', '\u00a0', '\ufeff', ' \n '])('does not count: %j', async (blank) => {
    const base64 = 'ab+cd/ef+ghijklmnopq+'
    for (const key of [KEY, base64, base64.replaceAll('+', ' ')]) {
      for (const presented of [`${key}${blank}`, `${blank}${key}`, `${blank}${key}${blank}`]) {
        expect(await isAdmitted(presented, [KEY, base64])).toBe(true)
      }
    }
  })

  it('makes no entry of its own in memory: a hash is kept once', async () => {
    const keys = new AccessKeys([named(KEY)])
    await keys.find(KEY)
    const digest = vi.spyOn(crypto.subtle, 'digest')
    for (let blanks = 0; blanks < 50; blanks += 1) await keys.find(KEY + ' '.repeat(blanks))
    expect(digest).not.toHaveBeenCalled()
  })
})

describe('a named key', () => {
  it('tells whose it is, with its name before it or without', async () => {
    const keys = new AccessKeys([named(KEY, 'shop'), named(OLD)])
    const shop = { fingerprint: '87cbeb', name: 'shop' }
    expect(await keys.find(KEY)).toEqual(shop)
    expect(await keys.find(`shop:${KEY}`)).toEqual(shop)
    expect(await keys.find(`blog:${KEY}`)).toBeNull()
    expect(await keys.find(`shop:${OLD}`)).toBeNull()
    expect((await keys.find(OLD))?.name).toBeNull()
    expect(await keys.holders()).toEqual([shop, await keys.find(OLD)])
  })
})

describe('the fingerprint of a key', () => {
  it('is the first 6 hex digits of its SHA-256, as sha256sum gives it', async () => {
    // printf %s correct-horse-battery-staple | sha256sum
    expect((await new AccessKeys([named(OLD), named(KEY)]).find(KEY))?.fingerprint).toBe('87cbeb')
    // printf %s ab+cd/ef+ghijklmnopq== | sha256sum
    const base64 = 'ab+cd/ef+ghijklmnopq=='
    const keys = new AccessKeys([named(KEY), named(base64)])
    for (const presented of [base64, base64.replaceAll('+', ' ')]) {
      expect((await keys.find(presented))?.fingerprint).toBe('9bac40')
    }
  })

  it('is the same each time', async () => {
    const keys = new AccessKeys([named(KEY), named(OLD)])
    expect(await keys.find(OLD)).toEqual(await keys.find(OLD))
    expect(await keys.find(OLD)).not.toEqual(await keys.find(KEY))
  })
})

describe('the comparison', () => {
  it('compares hashes of one length, in constant time, with every key', async () => {
    const equal = vi.spyOn(crypto.subtle, 'timingSafeEqual')
    const keys = new AccessKeys([
      named(KEY),
      named(OLD, 'shop'),
      named('a much longer key than any of the other two'),
    ])
    for (const presented of [KEY, 'x', 'x'.repeat(1_000)]) {
      equal.mockClear()
      await keys.find(presented)
      expect(equal).toHaveBeenCalledTimes(4)
      for (const sides of equal.mock.calls) {
        expect(sides.map(({ byteLength }) => byteLength)).toEqual([32, 32])
      }
    }
  })

  it('hashes configured keys once, a good key once, and a wrong one each time', async () => {
    const keys = new AccessKeys([named(KEY), named(OLD)])
    await keys.find('first')
    const digest = vi.spyOn(crypto.subtle, 'digest')
    for (const presented of [KEY, KEY, 'wrong', 'wrong', KEY]) await keys.find(presented)
    expect(digest).toHaveBeenCalledTimes(3)
    expect(digest.mock.calls.map(([algorithm]) => algorithm)).toEqual(Array(3).fill('SHA-256'))
  })

  it('keeps two configurations apart', async () => {
    const before = new AccessKeys([named(OLD)])
    const after = new AccessKeys([named(KEY)])
    expect(await before.find(OLD)).not.toBeNull()
    expect(await after.find(OLD)).toBeNull()
    expect(await after.find(KEY)).not.toBeNull()
    expect(await before.find(KEY)).toBeNull()
  })
})
