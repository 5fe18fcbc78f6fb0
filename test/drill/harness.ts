/** Harness: what a drill works with, set up and running: the local AEP, the Worker in its process, and who posts to it. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { startLocalAdobe } from '../../src/local-adobe/server.ts'
import { Admin } from './admin.ts'
import { buildBundle } from './bundle.ts'
import { FLOW_ID, type Format } from './format.ts'
import type { Options } from './options.ts'
import { Poster } from './poster.ts'
import { Worker } from './worker.ts'
import { workerdBinary, workerdConfig } from './workerd.ts'

export type Harness = {
  readonly format: Format
  readonly adobe: LocalAdobe
  readonly worker: Worker
  readonly poster: Poster
  /** Of the Worker as it runs now. To ask it for anything also wakes it. */
  admin(): Promise<Admin>
}

const WEBHOOK_KEY = 'drill-webhook-key-0123456789'
const ADMIN_TOKEN = 'drill-admin-token-0123456789'

/** Short times, so that a drill sees many waits, and none is long. */
const TIMES = {
  FORWARD_TIMEOUT_MS: '300',
  DRAIN_TIMEOUT_MS: '1000',
  RETRY_BASE_MS: '25',
  RETRY_CAP_MS: '500',
}

/** Whatever it starts it puts into `started` at once, as the way to stop it. */
export async function startHarness(
  { shards, storeFirst }: Options,
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
    ...(storeFirst && { FORWARD_TIMEOUT_MS: '0' }),
    ...format.vars(adobe.settings, url),
    AEP_ENDPOINT: `${url}/collection/${adobe.settings.inletId}`,
    AEP_FLOW_ID: FLOW_ID,
    OUTBOX_SHARDS: String(shards),
    WEBHOOK_KEYS: WEBHOOK_KEY,
    ADMIN_TOKEN,
  }
  const config = path.join(directory, 'config.capnp')
  await writeFile(config, workerdConfig(bundle, storage, vars))
  const worker = new Worker(workerdBinary(), config, path.join(directory, 'worker.log'))
  started.push(() => worker.close())
  worker.start()
  return {
    format,
    adobe,
    worker,
    poster: new Poster(worker, WEBHOOK_KEY),
    admin: async () => new Admin(await worker.url(), ADMIN_TOKEN),
  }
}
