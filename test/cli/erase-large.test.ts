/**
 * Erasing in storage too large to be overwritten in one step, in the Worker as it is deployed: the cron trigger goes on, and
 * in the end no byte of the person is left in the database file. The limit is lowered in the bundle, so that two
 * megabytes are too large; nothing else is changed.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import { SCRUB_BYTES } from '../../src/worker/limits.ts'
import { buildBundle } from '../drill/bundle.ts'
import { Worker } from '../drill/worker.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'
import { ADMIN_TOKEN, KEY } from './relay-test.ts'

const EMAIL = 'canary@example.com'
const LOWERED_BYTES = 1_500_000

let directory: string
let aep: LocalAdobeServer
let worker: Worker
let url: string

/** `POST /_cron` is the cron trigger. */
const WITH_CRON = `import relay, { Outbox } from './index.js'
export { Outbox }
export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/_cron') return relay.fetch(request, env, ctx)
    await relay.scheduled({}, env, ctx)
    return new Response(null, { status: 204 })
  },
}
`

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'chatlio-edge-relay-erase-large-'))
  aep = await startLocalAdobe()
  const { script, compatibilityDate } = await buildBundle(directory)
  const bundle = path.join(directory, script)
  const [before, after, ...more] = (await readFile(bundle, 'utf8')).split(String(SCRUB_BYTES))
  if (after === undefined || more.length > 0)
    throw new Error('The limit is not in the bundle, once.')
  await writeFile(bundle, `${before}${LOWERED_BYTES}${after}`)
  await writeFile(path.join(directory, 'cron.js'), WITH_CRON)
  await mkdir(path.join(directory, 'objects'))
  const config = path.join(directory, 'workerd.capnp')
  await writeFile(
    config,
    workerdConfig(
      { 'cron.js': 'cron.js', 'index.js': script },
      compatibilityDate,
      path.join(directory, 'objects'),
      {
        AEP_ENDPOINT: `${aep.url}/collection/${aep.adobe.settings.inletId}`,
        AEP_FLOW_ID: 'local-flow',
        WEBHOOK_KEYS: KEY,
        ADMIN_TOKEN,
        FORWARD_TIMEOUT_MS: '0',
        RETRY_CAP_MS: '50',
        RETRY_BASE_MS: '10',
      },
    ),
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
  expect(response.status).toBe(202)
}
const admin = async (route: string, body?: unknown) => {
  const response = await fetch(`${url}/admin/${route}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  })
  expect(response.status).toBe(200)
  return (await response.json()) as Record<string, unknown>
}
const cron = async (times: number) => {
  for (let each = 0; each < times; each += 1) await fetch(`${url}/_cron`, { method: 'POST' })
}

/** The free pages of a database, by SQLite's file format: a chain of pages that list others. */
function freePages(file: Buffer): Buffer[] {
  const page = (number: number) => file.subarray((number - 1) * 4_096, number * 4_096)
  const free: Buffer[] = []
  for (let trunk = file.readUInt32BE(32); trunk !== 0; trunk = page(trunk).readUInt32BE(0)) {
    free.push(page(trunk))
    for (let each = 0; each < page(trunk).readUInt32BE(4); each += 1) {
      free.push(page(page(trunk).readUInt32BE(8 + 4 * each)))
    }
  }
  return free
}

const canariesIn = (bytes: Buffer) => bytes.toString('latin1').match(/.{0,20}canary.{0,20}/gi) ?? []

const isSent = ({ record }: { record: unknown }) => JSON.stringify(record).includes('"sent ')

/** What is in the files of the storage when the process is gone, with its log merged in. */
async function storage() {
  await worker.kill()
  const objects = path.join(directory, 'objects')
  const names = (await readdir(objects, { recursive: true })).filter((each) =>
    each.endsWith('.sqlite'),
  )
  const files = await Promise.all(
    names.map(async (name) => {
      const file = path.join(objects, name)
      const database = new DatabaseSync(file)
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      database.close()
      return readFile(file)
    }),
  )
  worker.start()
  url = await worker.url()
  const free = files.flatMap(freePages)
  return {
    bytes: files.reduce((sum, { length }) => sum + length, 0),
    kept: files.filter((file) => file.includes('"kept ')).length,
    freePages: free.length,
    canaries: files.flatMap(canariesIn),
    canariesInFreePages: free.flatMap(canariesIn),
  }
}

it('leaves no byte in free pages at once, and none at all when the backlog is gone, by the cron trigger', async () => {
  const canary = (serial: number, words = (serial * 97) % 1_200) => ({
    visitor: { UUID: `canary-${serial}`, email: EMAIL },
    message: `canary ${serial} ${'canary '.repeat(words)}`,
  })
  const other = (serial: number) => ({
    visitor: { UUID: `other-${serial}` },
    message: `${serial % 8 === 3 ? 'kept' : 'sent'} ${serial} ${'water '.repeat((serial * 53) % 1_500)}`,
  })
  // Delivered events leave their bytes in free pages, and in pages that others share.
  await Promise.all(Array.from({ length: 40 }, (_, each) => post(canary(1_000 + each, 20_000))))
  await expect.poll(async () => (await admin('status')).pending, { timeout: 20_000 }).toBe(0)
  await admin('pause', {})
  const backlog = Array.from({ length: 600 }, (_, each) =>
    each % 4 === 0 ? canary(each) : other(each),
  )
  const sent = backlog.filter(({ message }) => message.startsWith('sent')).length
  for (let each = 0; each < backlog.length; each += 50) {
    await Promise.all(backlog.slice(each, each + 50).map(post))
  }
  const before = await storage()
  expect(before.canaries.length).toBeGreaterThan(1_000)
  expect(before.canariesInFreePages.length).toBeGreaterThan(0)

  expect(await admin('erase', { email: EMAIL })).toMatchObject({ matched: 150, erased: 150 })
  await cron(6)
  // 450 events of others are too many to be written anew, so what SQLite has moved may stay in pages that they use.
  const between = await storage()
  expect(between.bytes).toBeGreaterThan(LOWERED_BYTES)
  expect(between.freePages).toBeGreaterThan(0)
  expect(between.canariesInFreePages).toEqual([])

  aep.adobe.rule({ containing: 'kept', answer: { type: 'status', status: 422 } })
  await admin('resume', {})
  await expect
    .poll(async () => aep.adobe.lake.filter(isSent).length, { timeout: 60_000 })
    .toBeGreaterThanOrEqual(sent)
  await cron(6)
  const after = await storage()
  expect(after.kept).toBeGreaterThan(0)
  expect(after.canaries).toEqual([])
}, 180_000)
