/** Harness: starts everything a drill works with: the local AEP, the Worker in its own process, and the poster. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { startLocalAdobe } from '../../src/local-adobe/server.ts'
import { Admin } from './admin.ts'
import { type Bounds, judgeBounds, type Webhook } from './bounds.ts'
import { buildBundle } from './bundle.ts'
import { FLOW_ID, type Format } from './format.ts'
import { Monitor } from './health.ts'
import { Poster } from './poster.ts'
import { Worker } from './worker.ts'
import { workerdBinary, workerdConfig } from './workerd.ts'

export type Harness = {
  readonly format: Format
  readonly adobe: LocalAdobe
  readonly worker: Worker
  readonly poster: Poster
  readonly monitor: Monitor
  /** Webhooks that phases have posted, and their answers. */
  readonly webhooks: Webhook[]
  /** Starts the Worker anew with other variables; to its outbox that is a kill. */
  deploy(vars: Readonly<Record<string, string>>): Promise<void>
  /** Admin routes of the running Worker. Every request to it also wakes its outbox. */
  admin(): Promise<Admin>
}

export const WEBHOOK_KEY = 'drill-webhook-key-0123456789'
const ADMIN_TOKEN = 'drill-admin-token-0123456789'

/** Short, so that a drill goes through many waits. */
const TIMES = {
  FORWARD_TIMEOUT_MS: '300',
  DRAIN_TIMEOUT_MS: '1000',
  RETRY_BASE_MS: '25',
  RETRY_CAP_MS: '500',
}

const TAMPERED = new URL('workers/tampered.js', import.meta.url)

type Setup = {
  /** Puts `workers/tampered.js` around the bundle. */
  readonly tampered?: boolean
  /** Variables of the Worker; they override those of every drill. */
  readonly vars?: Readonly<Record<string, string>>
}

/** Adds a function that stops it to `started` for each thing it starts, so that a failure halfway leaves nothing running. */
export async function startHarness(
  { tampered = false, vars: own = {} }: Setup,
  format: Format,
  directory: string,
  started: (() => Promise<void>)[],
): Promise<Harness> {
  const { url, adobe, close } = await startLocalAdobe({ ...format.settings, flowId: FLOW_ID })
  started.push(close)
  const bundle = await buildBundle(directory)
  const storage = path.join(directory, 'storage')
  await mkdir(storage)
  const vars = {
    ...TIMES,
    ...format.vars(adobe.settings, url),
    AEP_ENDPOINT: `${url}/collection/${adobe.settings.inletId}`,
    AEP_FLOW_ID: FLOW_ID,
    WEBHOOK_KEYS: WEBHOOK_KEY,
    ADMIN_TOKEN,
    ...own,
  }
  const config = path.join(directory, 'config.capnp')
  if (tampered) await copyFile(TAMPERED, path.join(directory, 'tampered.js'))
  const modules = { ...(tampered && { 'tampered.js': 'tampered.js' }), 'index.js': bundle.script }
  const configure = (more: Readonly<Record<string, string>>) =>
    writeFile(
      config,
      workerdConfig(modules, bundle.compatibilityDate, storage, { ...vars, ...more }),
    )
  await configure({})
  const worker = new Worker(workerdBinary(), config, path.join(directory, 'worker.log'))
  started.push(() => worker.close())
  worker.start()
  return {
    format,
    adobe,
    worker,
    poster: new Poster(worker, WEBHOOK_KEY),
    monitor: new Monitor(worker),
    webhooks: [],
    deploy: async (more) => {
      await worker.kill()
      await configure(more)
      worker.start()
    },
    admin: async () => new Admin(await worker.url(), ADMIN_TOKEN),
  }
}

/** Requests to AEP that had the event, or a part of it. */
export function askedOf({ adobe, format }: Harness, id: string) {
  return adobe.requests.filter(({ ids }) => ids.some((_id) => format.eventOf({ _id }) === id))
}

/** What has been seen so far, of these webhooks. */
export async function boundsOf(
  { adobe, format, worker, monitor }: Harness,
  webhooks: readonly Webhook[],
): Promise<Bounds> {
  return judgeBounds({
    webhooks,
    requests: adobe.requests,
    tokenRequests: adobe.tokenRequests,
    lake: adobe.lake,
    eventOf: format.eventOf,
    starts: worker.starts,
    looks: monitor.looks,
    said: await worker.said(),
  })
}
