/** An address is found in every spelling, and never in somebody else's: what finds, hashes and erases reads bytes here. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8Bytes } from '../../src/worker/lib/json.ts'
import {
  addressesIn,
  addressesOf,
  folded,
  mentions,
  readingsOf,
} from '../../src/worker/lib/spellings.ts'

const ADA = 'ada@example.com'
const isIn = (value: string, body: string | Uint8Array) =>
  mentions(readingsOf(typeof body === 'string' ? utf8Bytes(body) : body), folded(value))

const utf16 = (text: string, mark = '') =>
  new Uint8Array(
    [...(mark + text)].flatMap((each) => [each.charCodeAt(0) & 255, each.charCodeAt(0) >> 8]),
  )

describe('an address is found', () => {
  it.each([
    ['as it is', ADA],
    ['in capitals', 'ADA@Example.COM'],
    ['in JSON that is cut', '{"visitor":{"email":"ada@example.com'],
    ['behind a JSON escape', '{"email":"ada\\u0040example.com'],
    ['with all of it escaped', '"\\u0061\\u0064\\u0061\\u0040example\\u002ecom'],
    ['in JSON within JSON', '{"a":"{\\"b\\":\\"ada\\\\u0040example.com\\"}'],
    ['after an escaped line end', '{"message":"write to\\nada@example.com'],
    ['after an escaped tab and before one', 'x\\tada@example.com\\ty'],
    ['after an escaped quote', '{"message":"\\"ada@example.com\\""'],
    ['with a line end that is escaped inside', 'ada@exam\\\nple.com'],
    ['with percent escapes', 'email=ada%40example.com&name=Ada'],
    ['with percent escapes after another', 'a=%C3%A9&email=%61da%40example%2Ecom'],
    ['in a form, after a blank', 'message=write+to+ada%40example.com+please'],
    ['escaped twice', 'next=%3Femail%3Dada%2540example.com'],
    ['with entities', '<a>ada&#64;example.com</a>'],
    ['with hexadecimal entities', 'ada&#x40;example&#x2E;com'],
    ['with named entities', 'mailto:ada&commat;example&period;com'],
    ['with entities twice', 'ada&amp;#64;example.com'],
    ['between tags', '<b>ada@example.com</b>'],
    ['quoted-printable', 'To: ada=40example.com'],
    ['over a line of quoted-printable', 'To: ada@exam=\r\nple.com'],
    ['after a quoted line end', 'Hello=0D=0Aada@example.com'],
    ['after a name', 'email=ada@example.com'],
    ['with a name around it', '"Ada" <ada@example.com>, Bo <bo@example.com>'],
    ['at the end of a sentence', 'It is ada@example.com.'],
    ['in wide letters', '\uff41\uff44\uff41\uff20\uff45\uff58ample\uff0ecom'],
    ['with a wide sign alone', 'ada\uff20example.com'],
    ['before a sign that stands for letters', 'ada@example.com\u2122'],
    ['in UTF-16', utf16(`{"email":"${ADA}"`)],
    ['in UTF-16 with its mark', utf16(ADA, '\ufeff')],
    ['beside what is no UTF-8', new Uint8Array([0xe9, 0x20, ...utf8Bytes(ADA), 0x20, 0xff])],
  ])('%s', (_, body) => {
    expect(isIn(ADA, body)).toBe(true)
  })

  it.each([
    ['composed', 'andré@example.com', 'andre\u0301@example.com'],
    ['decomposed', 'andre\u0301@example.com', 'andré@example.com'],
    ['decomposed and escaped', 'andré@example.com', '"andre\\u0301@example.com'],
    ['as an entity', 'andré@example.com', 'andr&eacute;@example.com'],
    ['in the percent of UTF-8', 'andré@example.com', 'andr%C3%A9%40example.com'],
    ['in the percent of Latin-1', 'andré@example.com', 'andr%E9%40example.com'],
    [
      'in Windows-1252',
      'andré@example.com',
      Uint8Array.from([...'andré@example.com'], (each) => each.charCodeAt(0)),
    ],
    ['in punycode', 'ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['in letters', 'ada@XN--BCHER-KVA.example', 'ada@Bücher.example'],
    ['in punycode of another script', 'ada@例え.jp', 'ada@xn--r8jz45g.jp'],
    ['in punycode and escaped', 'ada@bücher.example', 'ada%40xn%2D%2Dbcher%2Dkva.example'],
    ['in a pair of escapes', 'a😀@example.com', '"a\\ud83d\\ude00@example.com'],
    ['with a plus in a form', 'ada+news@example.com', 'email=ada%2Bnews%40example.com'],
    ['with a plus behind an escape', 'ada+news@example.com', '"ada\\u002Bnews@example.com'],
    ['with a percent sign of its own', 'a%64a@example.com', 'to a%64a@example.com'],
  ])('%s', (_, value, body) => {
    expect(isIn(value, body)).toBe(true)
  })
})

describe('somebody else’s is not', () => {
  it.each([
    'xada@example.com',
    'x.ada@example.com',
    'x+ada@example.com',
    '\\u0078ada@example.com',
    '%78ada%40example.com',
    '%2578ada@example.com',
    '&#120;ada@example.com',
    '&eacute;ada@example.com',
    '=78ada@example.com',
    'x=\r\nada@example.com',
    'ada@example.com.uk',
    'ada@example.com\\u002euk',
    'ada@example.com%2Euk',
    'ada@example.com&#46;uk',
    'ada@example.com=2Euk',
    'ada@example.community',
    'ada@example.com-pany.org',
    'ad&#97;a@example.com',
    'email=x%2Bada%40example.com',
  ])('%s', (body) => {
    expect(isIn(ADA, body)).toBe(false)
  })

  it('an escaped line end is no letter of a name', () => {
    expect(isIn('nada@example.com', '"hello\\nada@example.com')).toBe(false)
  })
})

const char = (text: string) => text.codePointAt(0) ?? 0
const units = (text: string) => [...text].flatMap((each) => each.split(''))
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0')

/** Each writes one character. */
const SPELLINGS: { readonly [name: string]: (each: string) => string } = {
  json: (each) =>
    units(each)
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  percent: (each) => [...utf8Bytes(each)].map((byte) => `%${hex(byte, 2).toUpperCase()}`).join(''),
  decimal: (each) => `&#${char(each)};`,
  hexadecimal: (each) => `&#x${hex(char(each), 4)};`,
  quoted: (each) => [...utf8Bytes(each)].map((byte) => `=${hex(byte, 2).toUpperCase()}`).join(''),
}

const letters = fc.constantFrom(...'abcxyzéöß文0189')
const word = fc.array(letters, { minLength: 2, maxLength: 8 }).map((each) => each.join(''))
const address = fc
  .tuple(word, fc.constantFrom('', '.b', '+news', '_1'), word, fc.constantFrom('com', 'co.uk'))
  .map(([name, more, host, end]) => `${name}${more}@${host}.${end}`)
const spelling = fc.constantFrom(...Object.keys(SPELLINGS))

/** Any of its characters escaped in one way; and that in another. */
const spelled = (text: string, name: string, which: readonly boolean[]) =>
  [...text]
    .map((each, index) =>
      which[index % which.length] || /[\\%&=+]/.test(each) ? SPELLINGS[name]?.(each) : each,
    )
    .join('')
const which = fc.array(fc.boolean(), { minLength: 1, maxLength: 24 })
const around = fc.constantFrom(
  ...[
    ['', ''],
    ['"', '"'],
    [' ', ' '],
    ['<', '>'],
    ['\n', '\n'],
    ['email: ', ','],
    [':', ';'],
  ],
)

describe('in any spelling', () => {
  it('a canary is found, and named', () => {
    fc.assert(
      fc.property(address, spelling, which, around, (canary, name, escaped, [before, after]) => {
        const body = `${before}${spelled(canary, name, escaped)}${after}`
        expect(isIn(canary, body)).toBe(true)
        expect(addressesIn(readingsOf(utf8Bytes(body)), 32)).toContain(folded(canary))
      }),
      { numRuns: 500 },
    )
  })

  it('so it is in a spelling of a spelling', () => {
    const outer = fc.constantFrom('json', 'percent', 'decimal', 'hexadecimal')
    fc.assert(
      fc.property(address, outer, outer, which, which, (canary, first, second, one, two) => {
        const body = `"${spelled(spelled(canary, first, one), second, two)}"`
        expect(isIn(canary, body)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('a stranger’s, which the canary is a piece of, is not', () => {
    const more = fc.constantFrom('x', '9', '.', '-', '_', '+', 'é')
    fc.assert(
      fc.property(
        address,
        more,
        fc.boolean(),
        spelling,
        which,
        around,
        (canary, extra, isBefore, name, escaped, [before, after]) => {
          const stranger = isBefore
            ? `y${extra}${canary}`
            : `${canary}${extra === '+' || extra === '.' || extra === '_' ? '.' : extra}y`
          const body = `${before}${spelled(stranger, name, escaped)}${after}`
          expect(isIn(canary, body), body).toBe(false)
          expect(addressesIn(readingsOf(utf8Bytes(body)), 32), body).not.toContain(folded(canary))
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('punycode', () => {
  it.each([
    ['xn--maana-pta', 'mañana'],
    ['xn--bcher-kva', 'bücher'],
    ['xn--n3h', '☃'],
    ['xn--wgv71a119e', '日本語'],
    // RFC 3492, 7.1: Chinese (simplified), Czech, Russian.
    ['xn--ihqwcrb4cv8a8dqg056pqjye', '他们为什么不说中文'],
    ['xn--proprostnemluvesky-uyb24dma41a', 'pročprostěnemluvíčesky'],
    ['xn--b1abfaaepdrnnbgefbadotcwatmq2g4l', 'почемужеонинеговорятпорусски'],
  ])('%s is %s', (coded, plain) => {
    expect(folded(`ada@${coded}.example`)).toBe(`ada@${plain}.example`)
  })

  it('of any domain is read as the runtime writes it', () => {
    const letters = [...'az09äåçèñøœαθωжийשअकกஅ한글日本語中😀']
    const labels = fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 14 })
    fc.assert(
      fc.property(labels, (label) => {
        const plain = `x${label.join('')}x`
        const url = `http://${plain}.example`
        if (!URL.canParse(url)) return
        expect(folded(new URL(url).hostname)).toBe(folded(`${plain}.example`))
      }),
    )
  })

  it.each(['xn--', 'xn--!', 'xn--é', 'xn--99999999'])('that is none stays as it is: %s', (text) => {
    expect(folded(text)).toBe(text)
  })
})

describe('an escape', () => {
  it.each([
    ['&#128512;', '😀'],
    ['&#x1F600;', '😀'],
    ['&#x10FFFF;', '\u{10ffff}'],
    ['\\u{1F600}', '😀'],
    ['\\ud83d\\ude00', '😀'],
    ['&#65535;', '\uffff'],
  ])('%s is %s', (written, sign) => {
    expect(readingsOf(utf8Bytes(`ada${written}`))).toContain(`ada${sign}`)
  })

  it.each(['&#x110000;', '&#1114112;', '&nothing;', '\\u{110000}'])(
    'of no sign stays as it is: %s',
    (written) => {
      expect(readingsOf(utf8Bytes(`ada${written}`))).toEqual([`ada${written}`])
    },
  )

  it('within escapes is looked into four times, and no more', () => {
    const escaped = (times: number) => {
      let text = '@'
      for (let time = 0; time < times; time += 1) text = encodeURIComponent(text)
      return `ada${text}example.com`
    }
    expect(isIn(ADA, escaped(4))).toBe(true)
    expect(isIn(ADA, escaped(5))).toBe(false)
  })
})

describe('the addresses in a text', () => {
  const many = Array.from({ length: 5 }, (_, at) => `visitor${at}@example.com`)

  it('are the first of as many as are wanted, each once', () => {
    const readings = readingsOf(utf8Bytes([...many, ...many].join(' ')))
    expect(addressesIn(readings, 10)).toEqual(many)
    expect(addressesIn(readings, 3)).toEqual(many.slice(0, 3))
  })

  it('are no longer than an address can be', () => {
    const local = 'l'.repeat(64)
    const domain = `${'d'.repeat(249)}.com`
    expect(addressesIn([`${local}@${domain}`], 2)).toEqual([`${local}@${domain}`])
    expect(addressesIn([`l${local}@${domain}`, `${local}@d${domain}`], 2)).toEqual([])
  })

  it('have a name or something else around them, or are the whole value', () => {
    expect(addressesOf(' Ada@Example.com ', 2)).toEqual([ADA])
    expect(addressesOf('Ada <ada@example.com>', 2)).toEqual([ADA])
    expect(addressesOf('visitor-7', 2)).toEqual(['visitor-7'])
    expect(addressesOf('nobody at all', 2)).toEqual([])
  })
})

describe('the time it takes', () => {
  it.each([
    ['signs', '@'],
    ['pieces of it', 'ada@example.co '],
    ['strangers', 'xada@example.com '],
    ['backslashes', '\\'],
    ['percent signs', '%25'],
    ['entities', '&amp;'],
    ['open entities', '&#x'],
    ['equals signs', '= '],
    ['quoted bytes', '=3D'],
    ['punycode', 'xn--'],
    ['one letter', 'a'],
  ])('grows as the body does, of %s alone: its square would be minutes', (_, piece) => {
    const readings = readingsOf(utf8Bytes(piece.repeat(1_000_000 / piece.length)))
    mentions(readings, ADA)
    expect(addressesIn(readings, 32).length).toBeLessThanOrEqual(32)
  })
})
