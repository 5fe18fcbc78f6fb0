/** Suppressions that move to another account or jurisdiction: encrypted, and only to where nothing of its own would be lost. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  allStored,
  type Clock,
  conversation,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

const EMAIL = 'canary@example.com'
const PASSPHRASE = 'eight words that nobody guesses so soon'
const theirs = () => conversation({ visitor: { UUID: 'v-1', email: EMAIL } })

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ aep, relay, clock, logs } = world)
})

/** An outbox that has nothing, and a key of its own. */
async function elsewhere(): Promise<void> {
  await runInDurableObject(outbox(), (_, { storage }) => storage.deleteAll())
  await evictDurableObject(outbox())
  relay = startRelay()
}

const exported = async () => {
  return (await relay.command('/suppressions/export', { passphrase: PASSPHRASE })).body
}
const importing = async (sealed: unknown, passphrase = PASSPHRASE) => {
  return (await relay.command('/suppressions/import', { passphrase, sealed })).body
}

describe('an outbox of another jurisdiction', () => {
  /** Jurisdictions are none of the local runtime's; to the Worker they are other objects of the same names. */
  const OUTBOX = {
    getByName: (name: string) => env.OUTBOX.getByName(name),
    jurisdiction: () => ({ getByName: (name: string) => env.OUTBOX.getByName(`eu ${name}`) }),
  }
  const copy = async (by: Relay, ends: object = { from: null, to: 'eu' }) => {
    return (await by.command('/suppressions/copy', ends)).body
  }

  it('knows before its first webhook who is suppressed, and later of whom it was told meanwhile', async () => {
    const first = startRelay({ OUTBOX })
    await first.command('/erase', { email: EMAIL })
    expect(await copy(first)).toEqual({ copied: 1, error: null })
    const second = startRelay({ OUTBOX, OUTBOX_JURISDICTION: 'eu' })
    expect((await second.post('feedback', theirs())).body.status).toBe('suppressed')
    expect((await second.post('feedback', conversation())).body.status).toBe('forwarded')
    await second.report()
    await first.command('/erase', { visitor: 'v-late' })
    expect(await copy(second)).toEqual({ copied: 2, error: null })
    const late = await second.post('feedback', conversation({ visitor: { UUID: 'v-late' } }))
    expect(late.body.status).toBe('suppressed')
    expect((await second.get('/suppressions')).body.count).toBe(2)
    expect(JSON.stringify(aep.lake)).not.toContain(EMAIL)
    expect(logs.join()).not.toContain(EMAIL)
  })

  it('that has things of its own takes none over, unless there are none', async () => {
    const first = startRelay({ OUTBOX })
    const second = startRelay({ OUTBOX, OUTBOX_JURISDICTION: 'eu' })
    await second.post('feedback', '{')
    expect(await copy(first)).toEqual({ copied: 0, error: null })
    await first.command('/erase', { email: EMAIL })
    const error = expect.stringContaining('a key of its own')
    expect(await copy(first)).toEqual({ copied: 0, error })
    expect(await copy(first, { from: 'eu', to: 'eu' })).toMatchObject({ copied: 0 })
  })
})

describe('suppressions that were exported', () => {
  let sealed: string
  let until: unknown

  beforeEach(async () => {
    const { body } = await relay.command('/erase', { email: EMAIL })
    until = body.suppressedUntil
    const { count, sealed: text } = await exported()
    expect(count).toBe(1)
    sealed = String(text)
  })

  it('hold for the same person elsewhere, for as long, and for nobody else', async () => {
    await elsewhere()
    const early = startRelay()
    await early.report()
    expect(await importing(sealed)).toEqual({ imported: 1, error: null })
    expect((await relay.get('/suppressions')).body).toMatchObject({ count: 1, rows: [{ until }] })
    clock.advance(61_000)
    // Isolates that knew the key of before hear of the other one, and so does an outbox that restarts.
    await evictDurableObject(outbox())
    for (const isolate of [early, relay, startRelay()]) {
      expect((await isolate.post('feedback', theirs())).body.status).toBe('suppressed')
      const other = conversation({ visitor: { UUID: 'v-2', email: 'another@example.com' } })
      expect((await isolate.post('feedback', other)).body.status).toBe('forwarded')
      await isolate.report()
    }
    expect(JSON.stringify(aep.lake)).not.toContain(EMAIL)
    const found = await relay.command('/find', { email: 'another@example.com' })
    expect(found.body.events).toHaveLength(3)
  })

  it('are taken over again without harm, and never shortened', async () => {
    await elsewhere()
    await importing(sealed)
    await relay.command('/erase', { email: EMAIL, suppressDays: 90 })
    const { body } = await relay.get('/suppressions')
    expect(await importing(sealed)).toEqual({ imported: 1, error: null })
    expect((await relay.get('/suppressions')).body).toEqual(body)
  })

  it('are not read by another passphrase, nor when a letter is another one', async () => {
    await elsewhere()
    const before = await allStored()
    const changed = sealed.slice(0, -2) + (sealed.at(-2) === 'A' ? 'B' : 'A') + sealed.slice(-1)
    const error = expect.stringContaining('passphrase')
    expect(await importing(sealed, `${PASSPHRASE}.`)).toEqual({ imported: 0, error })
    expect(await importing(changed)).toEqual({ imported: 0, error })
    expect(await importing(sealed.slice(0, 70))).toEqual({ imported: 0, error })
    expect((await relay.get('/suppressions')).body.count).toBe(0)
    expect(JSON.stringify(before)).not.toContain(EMAIL)
  })

  it.each([
    ['a receipt', () => relay.post('feedback', conversation())],
    ['a stored event', () => relay.post('feedback', '{')],
    ['a suppression', () => relay.command('/erase', { visitor: 'v-3' })],
  ])('are refused where there is %s under another key', async (_what, comes) => {
    await elsewhere()
    await comes()
    await relay.report()
    const error = expect.stringContaining('a key of its own')
    expect(await importing(sealed)).toEqual({ imported: 0, error })
    expect((await relay.post('feedback', theirs())).body.status).toBe('forwarded')
  })

  it('that have ended meanwhile are left behind', async () => {
    await elsewhere()
    clock.advance(46 * 86_400_000)
    expect(await importing(sealed)).toEqual({ imported: 0, error: null })
  })

  it('show neither key, hash nor passphrase in text or log, and are on record', async () => {
    const { key, suppressions } = await outbox().exportSuppressions(clock.now)
    const bytes = Uint8Array.fromBase64(sealed, { alphabet: 'base64url' })
    const text = new TextDecoder('latin1').decode(bytes)
    expect(suppressions).toHaveLength(1)
    for (const secret of [key.toHex(), suppressions[0]?.hash ?? '', PASSPHRASE]) {
      expect(text).not.toContain(secret)
      expect(logs.join('\n')).not.toContain(secret)
    }
    expect((await exported()).sealed).not.toBe(sealed)
    const { body } = await relay.get('/log')
    expect(body.entries).toMatchObject([
      { action: 'export-suppressions', counts: { count: 1 } },
      { action: 'export-suppressions' },
      { action: 'erase' },
    ])
    expect(JSON.stringify(body)).not.toContain(PASSPHRASE)
  })

  it('need a passphrase that is worth it', async () => {
    const { status } = await relay.command('/suppressions/export', { passphrase: 'short' })
    expect(status).toBe(400)
  })
})
