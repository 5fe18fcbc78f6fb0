/**
 * The relay as it is deployed, in a `workerd` of its own with its storage on disk: it starts in a tenth of what `wrangler dev`
 * takes. `GET /cdn-cgi/handler/scheduled` is the cron trigger, as there.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buildBundle } from '../drill/bundle.ts'
import { Worker } from '../drill/worker.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'

export type RelayProcess = { readonly url: string; stop(): Promise<void> }

const CRON = `import relay from './index.js'
export * from './index.js'
export default {
  ...relay,
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/cdn-cgi/handler/scheduled') {
      return relay.fetch(request, env, ctx)
    }
    await relay.scheduled({ scheduledTime: Date.now(), cron: '* * * * *', noRetry() {} }, env, ctx)
    return new Response('ok')
  },
}
`

/** On a machine that does much else an answer takes its time, and is none of an outage. */
export const PATIENT = { FORWARD_TIMEOUT_MS: '20000', DRAIN_TIMEOUT_MS: '20000' }

export async function startRelayProcess(
  vars: Readonly<Record<string, string>>,
): Promise<RelayProcess> {
  const directory = mkdtempSync(path.join(tmpdir(), 'chatlio-edge-relay-'))
  const storage = path.join(directory, 'objects')
  const config = path.join(directory, 'relay.capnp')
  const { script, compatibilityDate } = await buildBundle(directory)
  mkdirSync(storage)
  writeFileSync(path.join(directory, 'cron.js'), CRON)
  const modules = { 'cron.js': 'cron.js', 'index.js': script }
  writeFileSync(config, workerdConfig(modules, compatibilityDate, storage, { ...PATIENT, ...vars }))
  const worker = new Worker(workerdBinary(), config, path.join(directory, 'log'))
  worker.start()
  return {
    url: await worker.url(),
    async stop() {
      await worker.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
