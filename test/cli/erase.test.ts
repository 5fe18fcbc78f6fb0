/**
 * `npm run erase` against the Worker as it is deployed, in a process of its own with its storage on disk: what it prints,
 * and that no row of its storage has the person.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import { buildBundle } from '../drill/bundle.ts'
import { Worker } from '../drill/worker.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'
import { ADMIN_TOKEN, capturePrinted, KEY, NOBODY } from './relay-test.ts'
import { valuesIn } from './stored-values.ts'

const printed = capturePrinted()
const EMAIL = 'canary@example.com'
let directory: string
let aep: LocalAdobeServer
let worker: Worker
let url: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'chatlio-edge-relay-erase-'))
  aep = await startLocalAdobe()
  const { script, compatibilityDate } = await buildBundle(directory)
  await mkdir(path.join(directory, 'objects'))
  const config = path.join(directory, 'workerd.capnp')
  await writeFile(
    config,
    workerdConfig({ 'index.js': script }, compatibilityDate, path.join(directory, 'objects'), {
      AEP_ENDPOINT: `${aep.url}/collection/${aep.adobe.settings.inletId}`,
      AEP_FLOW_ID: 'local-flow',
      WEBHOOK_KEYS: KEY,
      ADMIN_TOKEN,
      RETRY_CAP_MS: '50',
      RETRY_BASE_MS: '10',
    }),
  )
  worker = new Worker(workerdBinary(), config, path.join(directory, 'log'))
  worker.start()
  url = await worker.url()
})
afterAll(async () => {
  await worker.close()
  await aep.close()
  await rm(directory, { recursive: true, force: true })
})

const post = async (fields: Record<string, unknown>) => {
  const response = await fetch(`${url}/chatlio/feedback?key=${KEY}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const status = async () => {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  return (await (await fetch(`${url}/admin/status`, { headers })).json()) as Record<string, number>
}

const run = (...args: string[]) =>
  erase(['--url', url, '--admin-token', ADMIN_TOKEN, ...args], {
    io: { fetch: globalThis.fetch, sleep: () => Promise.resolve(), random: () => 0 },
  })

/** Every value of every table, the runtime's own included. */
const everyRow = () =>
  valuesIn(path.join(directory, 'objects'))
    .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value))
    .join('\n')

describe('erase', () => {
  it('leaves no row that has the person, in whatever state their events were', async () => {
    const person = (serial: number, more = '') => ({
      visitor: { UUID: `canary-${serial}`, email: EMAIL },
      message: `canary ${serial} ${more}`,
    })
    aep.adobe.rule({ answer: { type: 'status', status: 503 } })
    for (let each = 0; each < 40; each += 1) await post(person(each, 'canary '.repeat(each * 40)))
    await post(person(40, 'canary '.repeat(100_000)))
    await post({ visitor: { UUID: 'other' }, message: 'keep me' })
    aep.adobe.clearRules()
    await expect.poll(async () => (await status()).pending, { timeout: 60_000 }).toBe(0)
    // Other events are probed while this runs; AEP's answers to those do not quote the person.
    aep.adobe.rule({ containing: 'kept', answer: { type: 'status', status: 422 } })
    aep.adobe.rule({
      containing: 'canary',
      answer: { type: 'status', status: 422, body: { title: 'No', quoted: EMAIL } },
    })
    for (let each = 50; each < 60; each += 1) await post(person(each))
    await post({ visitor: { UUID: 'other' }, message: 'kept' })
    await post({ visitor: { UUID: 'canary', email: EMAIL }, message: 7 })

    expect(await run('--email', EMAIL, '--dry-run')).toBe(0)
    expect(printed.text()).toMatch(/"matched": \d\d/)
    expect(await run('--email', EMAIL)).toBe(0)
    await worker.kill()
    const rows = everyRow()
    worker.start()
    url = await worker.url()
    // Not `toContain`, which would print them all.
    expect(rows.includes('kept')).toBe(true)
    expect(rows.match(/.{0,20}canary.{0,20}/i)).toBeNull()
    const { accepted, delivered, pending, dead, quarantined, erased } = await status()
    expect(accepted).toBe(
      Number(delivered) + Number(pending) + Number(dead) + Number(quarantined) + Number(erased),
    )
    aep.adobe.clearRules()
    await expect
      .poll(async () => (await post(person(71))).body.status, { timeout: 60_000 })
      .toBe('suppressed')
  })

  it('prints a receipt without the person, and the request to Adobe with them', async () => {
    expect(await run('--email', EMAIL)).toBe(0)
    const [receipt = '', adobe = ''] = printed.text().split('POST https://platform.adobe.io')
    expect(receipt).toContain('"nothingLeft": true')
    expect(receipt).toContain('"suppressedUntil": "')
    expect(receipt).not.toContain('canary')
    expect(adobe).toContain('"namespace": "Email", "value": "canary@example.com"')
    expect(adobe).toContain('"include": [ "aepDataLake", "ProfileService", "identity" ]')
    expect(printed.text()).not.toContain(ADMIN_TOKEN)
  })

  it('suppresses nobody for 0 days, and says nothing else', async () => {
    expect(await run('--visitor', 'not-suppressed', '--suppress-days', '0')).toBe(0)
    expect(printed.text()).toContain('"suppressedUntil": null')
    expect(printed.text()).not.toContain('Suppressed.')
    expect(printed.text()).toContain('the relay drops nothing of this person')
    const body = { visitor: { UUID: 'not-suppressed' }, message: 'hello' }
    expect((await post(body)).body.status).not.toBe('suppressed')
  })

  it('ends with 1 when the relay refuses or does not answer', async () => {
    expect(await erase(['--url', url, '--admin-token', 'wrong', '--visitor', 'v'])).toBe(1)
    expect(printed.text()).toContain('admin token is wrong')
    expect(await erase(['--url', NOBODY, '--admin-token', 'x', '--visitor', 'v'])).toBe(1)
    expect(printed.text()).toContain('No connection')
  })

  it.each([
    [[], '--email'],
    [['--email', 'a@b.c'], '--url'],
    [['--email', 'a@b.c', '--url', 'https://relay.example.com'], 'ADMIN_TOKEN'],
    [
      [
        '--email',
        'a@b.c',
        '--url',
        'https://r.example',
        '--admin-token',
        't',
        '--suppress-days',
        '91',
      ],
      '--suppress-days',
    ],
    [['--nonsense'], '--nonsense'],
  ])('ends with 2 for %j', async (args, named) => {
    expect(await erase(args)).toBe(2)
    expect(printed.text()).toContain(named)
  })
})
