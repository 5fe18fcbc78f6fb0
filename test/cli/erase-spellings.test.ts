/**
 * One person in every spelling, from outside: through AEP and back, through every state of the outbox, the page, an export of
 * the suppressions and the screening of what is sent again. After `erase --aep` no record, row or line says who it was.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { folded, mentions, readingsOf } from '../../src/worker/lib/spellings.ts'
import { buildBundle } from '../drill/bundle.ts'
import { Worker } from '../drill/worker.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'
import { Bench } from './provision-support.ts'
import { PATIENT } from './relay-process.ts'
import { ADMIN_TOKEN, capturePrinted, KEY } from './relay-test.ts'
import { valuesIn } from './stored-values.ts'

/** As the operator is told it. */
const EMAIL = 'kanari\u00e9@b\u00fccher.example'
const VISITOR = 'kanarie-visitor'
const DAY = 86_400_000

const decomposed = EMAIL.normalize('NFD')
const ascii = 'kanari\u00e9@xn--bcher-kva.example'
const wide = 'kanari\u00e9\uff20b\u00fccher\uff0eexample'
const escaped = (text: string) =>
  text.replaceAll(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
const entities = (text: string) => text.replaceAll(/./gsu, (sign) => `&#${sign.codePointAt(0)};`)
const quoted = (text: string) =>
  [...Buffer.from(text)]
    .map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')

type Spelling = { route: string; type?: string; body: (marker: string) => string }

/** Of a visitor whose id is known, too. */
const visitor = (email: string): Spelling => ({
  route: 'feedback',
  body: (marker) => `{"visitor":{"UUID":"${VISITOR}","email":"${email}"},"message":"${marker}"}`,
})
/** Known by the address alone. */
const transcript = (email: string): Spelling => ({
  route: 'transcript',
  body: (marker) => `{"visitorEmail":"${email}","messages":[{"text":"${marker}"}]}`,
})
const offline = (fields: string, route = 'offline-message'): Spelling => ({
  route,
  body: (marker) => `{${fields},"message":"${marker}"}`,
})

/** Read as events, and so sent to AEP. */
const SENT: Record<string, Spelling> = {
  'as it is': transcript(EMAIL),
  'in capitals, between blanks': transcript(`  ${EMAIL.toUpperCase()} `),
  'behind JSON escapes': transcript(escaped(EMAIL)),
  decomposed: transcript(decomposed),
  'decomposed, behind escapes': transcript(escaped(decomposed)),
  'with its domain in ASCII': transcript(ascii),
  'with its domain in ASCII capitals': transcript(ascii.toUpperCase()),
  'in an offline message': offline(`"email":"${decomposed}"`),
  'in emailPretty alone': offline(`"emailPretty":"K <${decomposed}>"`),
  'in emailPretty alone, in ASCII': offline(`"emailPretty":"${ascii}"`),
  'on the one URL': offline(`"emailPretty":"K <${EMAIL}>"`, ''),
  'last of two equal keys': offline(`"email":"x@example.com","email":"${EMAIL}"`),
  'of a visitor': visitor(EMAIL),
  'of a visitor, in wide letters': visitor(wide),
  'of a visitor, with a name around it': visitor(`K <${EMAIL}>`),
  'of a visitor, first of two equal keys': visitor(`${EMAIL}","email":"x@example.com`),
  'of a visitor, by the id alone': visitor(''),
}

const BY_ADDRESS = Object.keys(SENT).length - 1

/** To quarantine. */
const PARKED: Record<string, Spelling> = {
  'in a form': {
    route: 'feedback',
    type: 'application/x-www-form-urlencoded',
    body: (marker) => `message=${marker}+x&email=${encodeURIComponent(EMAIL)}`,
  },
  'in a form, escaped twice': {
    route: 'feedback',
    type: 'text/plain',
    body: (marker) =>
      `m=${marker}&next=%3Femail%3D${encodeURIComponent(encodeURIComponent(EMAIL))}`,
  },
  'in JSON that is cut, behind escapes': {
    route: 'feedback',
    body: (marker) => `{"message":"${marker}","visitor":{"email":"${escaped(EMAIL)}`,
  },
  'after an escaped line end': {
    route: 'feedback',
    body: (marker) => `{"message":"${marker} of\\n${decomposed}`,
  },
  'in entities': { route: 'feedback', body: (marker) => `<p>${marker} ${entities(EMAIL)}</p>` },
  'quoted-printable': {
    route: 'feedback',
    type: 'message/rfc822',
    body: (marker) => `${marker}\nFrom: ${quoted(EMAIL)}`,
  },
  'in a list': {
    route: 'feedback',
    body: (marker) => `{"visitor":{"UUID":"${marker}","email":["x@example.com","${ascii}"]}}`,
  },
  'in a body of another shape': {
    route: 'feedback',
    body: (marker) => `[{"who":"${EMAIL}","what":"${marker}"}]`,
  },
  'under a type that is none of ours': {
    route: 'feedback',
    type: 'application/octet-stream',
    body: transcript(EMAIL).body,
  },
}
const SPELLINGS = Object.entries({ ...SENT, ...PARKED })

const printed = capturePrinted()

const PASSPHRASE = 'eight words that nobody guesses so soon'
/** In whatever spelling: texts, bytes, records. */
function names(value: unknown): boolean {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  const bytes = value instanceof Uint8Array ? value : Buffer.from(text)
  const readings = readingsOf(bytes)
  return mentions(readings, folded(EMAIL)) || readings.some((text) => text.includes('kanarie'))
}

describe.each([
  ['raw', []],
  ['xdm', ['--format', 'xdm']],
] as const)('a person in every spelling, in %s', (_format, args) => {
  let bench: Bench
  let directory: string
  let bundle: Awaited<ReturnType<typeof buildBundle>>
  let worker: Worker
  let url: string
  let sealed: unknown
  let before: readonly { record: unknown }[]
  const workers: Worker[] = []

  beforeAll(async () => {
    bench = await Bench.start()
    expect((await bench.run(['--profile', '--yes', ...args])).code).toBe(0)
    directory = mkdtempSync(path.join(tmpdir(), 'erase-spellings-'))
    bundle = await buildBundle(directory)
    worker = relayIn('first')
    url = await worker.url()
  })
  afterAll(async () => {
    for (const each of workers) await each.close()
    await bench.stop()
    await rm(directory, { recursive: true, force: true })
  })

  /** A relay with a storage of its own. */
  function relayIn(name: string): Worker {
    mkdirSync(path.join(directory, name))
    const set = [...bench.toml.matchAll(/^(AEP_\w+) = "(.*)"/gm)].map(([, key, value]) => [
      key,
      value,
    ])
    const config = path.join(directory, `${name}.capnp`)
    const vars = { ...Object.fromEntries(set), WEBHOOK_KEYS: KEY, ADMIN_TOKEN }
    const quick = { ...PATIENT, RETRY_BASE_MS: '10', RETRY_CAP_MS: '50' }
    const { script, compatibilityDate } = bundle
    const storage = path.join(directory, name)
    writeFileSync(
      config,
      workerdConfig({ 'index.js': script }, compatibilityDate, storage, { ...vars, ...quick }),
    )
    const made = new Worker(workerdBinary(), config, path.join(directory, `${name}.log`))
    workers.push(made)
    made.start()
    return made
  }

  const adobe = () => bench.adobe.adobe
  async function post({ route, type = 'application/json', body }: Spelling, marker: string) {
    const response = await fetch(`${url}/chatlio${route && `/${route}`}?key=${KEY}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: body(marker),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  async function operator(route: string, body?: object) {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {}
    const response = await fetch(`${url}/admin/${route}`, { headers, ...init })
    return (await response.json()) as Record<string, unknown>
  }
  const run = (...more: string[]) =>
    erase(['--url', url, '--admin-token', ADMIN_TOKEN, ...more], {
      env: bench.env,
      directory,
      now: () => adobeNow,
      io: { fetch, sleep: () => Promise.resolve(), random: () => 0 },
    })
  let adobeNow = Date.now()

  it('is taken, in every state that an event can be in', async () => {
    for (const [name, spelling] of SPELLINGS) {
      const { status } = await post(spelling, `kanarie at once, ${name}`)
      expect([name, status]).toEqual([name, name in SENT ? 200 : status])
      if (!(name in SENT))
        expect([name, status]).toEqual([name, expect.toSatisfy((is) => is >= 400 && is < 500)])
    }
    const fails = (status: number, containing: string) =>
      adobe().rule({
        containing,
        answer: { type: 'status', status, body: { title: 'No', quoted: escaped(EMAIL) } },
      })
    const sent = Object.entries(SENT)
    fails(503, 'kanarie')
    for (const [name, spelling] of sent) {
      expect([name, (await post(spelling, `kanarie later, ${name}`)).body.status]).toEqual([
        name,
        'buffered',
      ])
    }
    const long = `kanarie in parts ${'kanarie '.repeat(140_000)}`
    expect((await post(transcript(ascii), long)).body.status).toBe('buffered')
    adobe().clearRules()
    await expect.poll(async () => (await operator('status')).pending, { timeout: 100_000 }).toBe(0)
    fails(422, 'kanarie refused')
    for (const [name, spelling] of sent) await post(spelling, `kanarie refused, ${name}`)
    adobe().clearRules()
    fails(503, 'kanarie')
    for (const [name, spelling] of sent) await post(spelling, `kanarie waits, ${name}`)
    expect((await post(transcript(ascii), `waits ${long}`)).body.status).toBe('buffered')
    expect(await operator('status')).toMatchObject({
      dead: expect.toSatisfy((dead) => dead >= 3),
      pending: expect.toSatisfy((pending) => pending > sent.length),
      quarantined: Object.keys(PARKED).length,
    })
    before = adobe().lake.map(({ record }) => ({ record }))
    for (const [name] of sent) {
      for (const when of ['at once', 'later']) {
        expect([name, when, JSON.stringify(before).includes(`kanarie ${when}, ${name}`)]).toEqual([
          name,
          when,
          true,
        ])
      }
    }
  })

  const TYPED = [EMAIL, ` ${EMAIL.toUpperCase()}`, decomposed, ascii, wide]

  it('is found by each of them, on the page as by the command, and shown by no list', async () => {
    const cookie = await signedIn()
    const page = async (place: string, form?: Record<string, string>) => {
      const headers = { cookie, origin: url, 'sec-fetch-site': 'same-origin' }
      const init = form ? { method: 'POST', body: new URLSearchParams(form) } : {}
      const response = await fetch(`${url}/admin/ui/${place}`, { headers, ...init })
      expect([place, response.status]).toEqual([place, 200])
      return response.text()
    }
    // What AEP took at once is reported ten seconds later.
    const receipts = 2 * BY_ADDRESS + 1
    const dry = { email: EMAIL, dryRun: true }
    const count = async () => (await operator('erase', dry)).receipts
    await expect.poll(count, { timeout: 100_000 }).toBe(receipts)
    const counts = new Set<string>()
    for (const email of TYPED) {
      const { matched } = await operator('erase', { ...dry, email })
      const shown = await page('erase', { by: 'email', value: email, suppressDays: '45' })
      expect(shown).toMatch(new RegExp(`Stored events</dt>\\s*<dd>${matched}<`))
      expect(shown).toMatch(new RegExp(`Receipts</dt>\\s*<dd>${receipts}<`))
      const { events } = await operator('find', { email, limit: 200 })
      counts.add(`${matched} ${(events as unknown[]).length - receipts}`)
    }
    const stored = 2 * BY_ADDRESS + 1 + Object.keys(PARKED).length
    expect([...counts]).toEqual([`${stored} ${stored}`])
    for (const state of ['pending', 'dead', 'quarantined', 'all']) {
      const { events } = await operator(`events?state=${state}&limit=200`)
      expect([state, names(events)]).toEqual([state, false])
      expect([state, names(await page(`events?state=${state}`))]).toEqual([state, false])
      const [{ id }] = events as [{ id: string }]
      expect([state, names(await page(`events/${id}`))]).toEqual([state, false])
    }
  })

  async function signedIn(): Promise<string> {
    const response = await fetch(`${url}/admin/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: url, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ token: ADMIN_TOKEN }),
    })
    return String(response.headers.get('set-cookie')).split(';')[0] ?? ''
  }

  it('leaves nothing after erase --aep: no record, no row, no line', async () => {
    adobeNow = Date.parse(
      ((await (await fetch(`${bench.adobe.url}/_/clock`)).json()) as { now: string }).now,
    )
    expect(await run('--email', decomposed, '--visitor', VISITOR, '--aep'), printed.text()).toBe(0)
    const [file = ''] = readdirSync(directory).filter((name) => /^erase-.*json$/.test(name))
    adobe().advance(16 * DAY)
    adobeNow += 16 * DAY
    expect(await run('--status', path.join(directory, file)), printed.text()).toBe(0)
    expect(names(printed.text())).toBe(false)
    expect(names(readFileSync(path.join(directory, file), 'utf8'))).toBe(false)
    expect(
      adobe()
        .lake.filter(names)
        .map(({ record }) => record),
    ).toEqual([])
    expect(adobe().profile().kept.filter(names)).toEqual([])
    const { sealed: exported } = await operator('suppressions/export', { passphrase: PASSPHRASE })
    sealed = exported
    const lines = await worker.lines(() => true)
    expect(lines.length).toBeGreaterThan(SPELLINGS.length)
    expect(lines.filter(names)).toEqual([])
    await worker.kill()
    const values = valuesIn(path.join(directory, 'first'))
    expect(values.length).toBeGreaterThan(10)
    expect(values.filter(names)).toEqual([])
    worker.start()
    url = await worker.url()
    expect(await operator('status')).toMatchObject({ pending: 0, dead: 0, quarantined: 0 })
  })

  it('is taken no more, however it comes, and sent again by nobody', async () => {
    adobe().clearRules()
    const requests = adobe().requests.length
    for (const [name, spelling] of SPELLINGS) {
      const { status, body } = await post(spelling, `kanarie again, ${name}`)
      expect([name, status, body.status]).toEqual([name, 202, 'suppressed'])
    }
    expect(adobe().requests).toHaveLength(requests)
    const { indexes } = await operator('screen', {
      records: before.slice(0, 100).map(({ record }) => record),
    })
    expect(indexes).toEqual(before.slice(0, 100).map((_, index) => index))
  })

  it('is taken no more where the suppressions were brought', async () => {
    url = await relayIn('second').url()
    expect(await operator('suppressions/import', { passphrase: PASSPHRASE, sealed })).toEqual({
      imported: 2,
      error: null,
    })
    for (const [name, spelling] of SPELLINGS) {
      const { status, body } = await post(spelling, `kanarie elsewhere, ${name}`)
      expect([name, status, body.status]).toEqual([name, 202, 'suppressed'])
    }
    const other = await post(transcript('somebody@example.com'), 'somebody else')
    expect(other.body.status).toBe('forwarded')
  })
})
