/**
 * Exact: JSON as it was written. A number that no double is equal to becomes a text of its own, so that two of them can be
 * compared; all other values are those of `JSON.parse`. Without the relay's code, so that the comparison means something.
 */

export type Json = Record<string, unknown>

export const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Before a number that is kept as a text. No text of a request begins so. */
const NUMBER = '\u0000number '
/** Not in the middle of a word: ids in hexadecimal have an `e` in every second one. */
const MAY_BE_LONG = /(?:^|[:,[\s])-?(?:[\d.]{16}|\d[\d.]*[eE])/

/** Throws where `JSON.parse` does. */
export function parseExact(text: string): unknown {
  if (!MAY_BE_LONG.test(text)) return JSON.parse(text)
  return JSON.parse(text, ((_: string, value: unknown, { source = '' }: { source?: string }) => {
    if (typeof value !== 'number') return value
    const written = decimal(source)
    return written === decimal(String(value)) ? value : NUMBER + written
  }) as (key: string, value: unknown) => unknown)
}

/** `12.50` and `1.25e1` are both `125e-1`. */
function decimal(written: string): string {
  const [mantissa = '', exponent = '0'] = written.toLowerCase().split('e')
  const sign = mantissa.startsWith('-') ? '-' : ''
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const digits = (whole + fraction).replace(/^0+/, '')
  const short = digits.replace(/0+$/, '')
  if (short === '') return '0'
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - short.length)
  return `${sign}${short}e${power}`
}

type Compare = (actual: string, sent: string) => boolean

/** Where two values differ, as a path; `null`: nowhere. Texts are compared by `same`. */
export function difference(actual: unknown, sent: unknown, same: Compare): string | null {
  if (typeof sent === 'string') {
    return typeof actual === 'string' && (actual === sent || same(actual, sent)) ? null : '.'
  }
  if (Array.isArray(sent)) {
    if (!Array.isArray(actual) || actual.length !== sent.length) return '.'
    for (const [at, item] of sent.entries()) {
      const found = difference(actual[at], item, same)
      if (found) return `[${at}]${found}`
    }
    return null
  }
  if (!isJson(sent)) return actual === sent || (sent === 0 && actual === 0) ? null : '.'
  if (!isJson(actual)) return '.'
  for (const key of new Set([...Object.keys(sent), ...Object.keys(actual)])) {
    if (!Object.hasOwn(sent, key) || !Object.hasOwn(actual, key)) return `.${key}`
    const found = difference(actual[key], sent[key], same)
    if (found) return `.${key}${found}`
  }
  return null
}
