/**
 * The relay as it is deployed, under `wrangler dev`, before a local Adobe that does as it is told.
 * Nothing that it starts outlives `stop`, and nothing of it listens anywhere but on 127.0.0.1.
 */
import { startWorker } from '../../src/cli/lib/local-worker.ts'
import { postWebhook, type WebhookAnswer } from '../../src/cli/start/samples.ts'
import { startLocalAdobe } from '../../src/local-adobe/server.ts'

export const KEY = 'browser-test-webhook-key'
export const TOKEN = 'browser-test-admin-token'

const FLOW_ID = 'local-flow'
const START_TIMEOUT_MS = 60_000

export type Relay = {
  readonly url: string
  /** One webhook, as Chatlio would send it. */
  post(kind: string, body: unknown): Promise<WebhookAnswer & { id: string }>
  /** The figures of `GET /admin/status`. */
  status(): Promise<Record<string, number>>
  /** A route of the local Adobe under `/_/`. */
  aep(route: string, body: unknown): Promise<void>
  /** AEP answers with this status; with `containing`, only to events that have this text. */
  aepAnswers(status: number, containing?: string): Promise<void>
  /** It answers as documented again. */
  aepWorks(): Promise<void>
  /** One round of `POST /admin/erase`. */
  erase(email: string): Promise<void>
  /** A run of the cron trigger, as AEP's clock goes on by so many minutes. */
  tick(minutes: number): Promise<void>
  /** The ids that AEP has taken, each once. */
  taken(): ReadonlySet<string | null>
  stop(): Promise<void>
}

export async function startRelay(variables: Record<string, string> = {}): Promise<Relay> {
  const aep = await startLocalAdobe({ mode: 'raw', flowId: FLOW_ID })
  const worker = startWorker(0, {
    AEP_ENDPOINT: `${aep.url}/collection/${aep.adobe.settings.inletId}`,
    AEP_FORMAT: 'raw',
    AEP_FLOW_ID: FLOW_ID,
    AEP_CLIENT_ID: '',
    AEP_CLIENT_SECRET: '',
    WEBHOOK_KEYS: KEY,
    ADMIN_TOKEN: TOKEN,
    // Shorter waits between attempts than in production.
    RETRY_BASE_MS: '100',
    RETRY_CAP_MS: '500',
    ENVIRONMENT: 'production',
    // An address, so that this is nothing to be done; whoever listens there hears nothing.
    ALERT_WEBHOOK_URL: `${aep.url}/_/alerts`,
    // What it is read with, where a test says who reads.
    AEP_READ_CLIENT_SECRET: 'local-reader-secret',
    AEP_ORG_ID: 'LOCAL@AdobeOrg',
    AEP_DATASET_ID: 'local-dataset',
    AEP_IMS_URL: aep.url,
    AEP_PLATFORM_URL: aep.url,
    ...variables,
  })
  const stop = async () => {
    await worker.stop()
    await aep.close()
  }
  const ready = worker.ready(AbortSignal.timeout(START_TIMEOUT_MS))
  const url = await ready.catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { ...relayOf(url, aep), stop }
}

function relayOf(
  url: string,
  aep: Awaited<ReturnType<typeof startLocalAdobe>>,
): Omit<Relay, 'stop'> {
  const control = async (route: string, init: RequestInit) => {
    const answer = await fetch(`${aep.url}/_/${route}`, init)
    if (!answer.ok) throw new Error(`/_/${route} answered ${answer.status}.`)
  }
  const tell = (route: string, body: unknown) =>
    control(route, { method: 'POST', body: JSON.stringify(body) })
  return {
    url,
    async post(kind, body) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const bytes = new TextEncoder().encode(text)
      const address = `${url}/chatlio/${kind}?key=${KEY}`
      const answer = await postWebhook(
        address,
        bytes,
        fetch,
        AbortSignal.timeout(30_000),
        'Chatlio',
      )
      return { ...answer, id: answer.id ?? '' }
    },
    async status() {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const answer = await fetch(`${url}/admin/status`, { headers })
      return (await answer.json()) as Record<string, number>
    },
    aep: tell,
    aepAnswers: (status, containing) =>
      tell('rule', { answer: { type: 'status', status }, ...(containing && { containing }) }),
    aepWorks: () => control('rules', { method: 'DELETE' }),
    async tick(minutes) {
      aep.adobe.advance(minutes * 60_000)
      const answer = await fetch(`${url}/cdn-cgi/handler/scheduled`)
      if (!answer.ok) throw new Error(`The cron trigger answered ${answer.status}.`)
    },
    async erase(email) {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const init = { method: 'POST', headers, body: JSON.stringify({ email }) }
      const answer = await fetch(`${url}/admin/erase`, init)
      if (!answer.ok) throw new Error(`/admin/erase answered ${answer.status}.`)
    },
    taken: () => new Set(aep.adobe.lake.map(({ _id }) => _id)),
  }
}
