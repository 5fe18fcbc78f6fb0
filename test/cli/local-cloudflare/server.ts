/**
 * A local Cloudflare API: as much of it as `wrangler deploy`, `rollback`, `delete`, `secret list`, `deployments list` and
 * `versions view` ask for, so that a deploy can be tried with the real tool and what arrived can be looked at.
 *
 * Promises: it keeps what a deploy brought (bindings, secrets with their values, versions), inherits as Cloudflare does
 * (a secret that is not sent again stays, a variable does not), and writes down every request.
 * It never runs a Worker, and knows no account but its own. Routes and answers as the pinned wrangler uses them.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Metadata, Worker } from './worker.ts'

export const ACCOUNT_ID = 'local-account'
export const API_TOKEN = 'local-api-token'

type Seen = { readonly method: string; readonly path: string }

export type LocalCloudflare = {
  /** For `CLOUDFLARE_API_BASE_URL`. */
  readonly url: string
  readonly requests: readonly Seen[]
  /** The Worker of that name, or `undefined` as long as nothing was deployed. */
  worker(name: string): Worker | undefined
  /** As if a Worker had been deployed there. */
  put(name: string, metadata: Metadata): Worker
  /** Called with each request before it is answered. */
  watch(onRequest: (seen: Seen) => void): void
  /** The next request that matches gets this status, once. */
  fail(pattern: RegExp, status: number): void
  /** Forgets Workers, requests and failures. */
  reset(): void
  close(): Promise<void>
}

type Answer = { status: number; body: unknown }
type Failure = { pattern: RegExp; status: number }

export async function startLocalCloudflare(): Promise<LocalCloudflare> {
  const workers = new Map<string, Worker>()
  const requests: Seen[] = []
  const failures: Failure[] = []
  let onRequest: (seen: Seen) => void = () => {}
  const server = createServer(async (request, response) => {
    const { status, body } = await answer(request, workers, failures, (seen) => {
      requests.push(seen)
      onRequest(seen)
    })
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/client/v4`,
    requests,
    worker: (name) => workers.get(name),
    put: (name, metadata) => {
      const worker = new Worker(name)
      worker.deploy(worker.upload(metadata))
      workers.set(name, worker)
      return worker
    },
    watch: (to) => {
      onRequest = to
    },
    fail: (pattern, status) => failures.push({ pattern, status }),
    reset: () => {
      workers.clear()
      requests.length = 0
      failures.length = 0
      onRequest = () => {}
    },
    close: () => stop(server),
  }
}

async function answer(
  request: IncomingMessage,
  workers: Map<string, Worker>,
  failures: Failure[],
  saw: (seen: Seen) => void,
): Promise<Answer> {
  const method = request.method ?? 'GET'
  const path = (request.url ?? '/').replace(/^\/client\/v4/, '').replace(/\?.*$/, '')
  const body = await bodyOf(request)
  saw({ method, path })
  if (request.headers.authorization !== `Bearer ${API_TOKEN}`) {
    return problem(403, 10000, 'Authentication error')
  }
  const failure = failures.findIndex(({ pattern }) => pattern.test(`${method} ${path}`))
  if (failure >= 0) {
    const [{ status } = { status: 500 }] = failures.splice(failure, 1)
    return problem(status, 10013, 'An unknown error has occurred. Please try again.')
  }
  const inAccount = path.replace(`/accounts/${ACCOUNT_ID}/`, '')
  if (inAccount === 'workers/subdomain') return ok({ subdomain: 'local' })
  // Nothing else is in this account that would use the Worker.
  if (inAccount === 'storage/kv/namespaces' || inAccount.startsWith('workers/tails/')) return ok([])
  const [, area, name = '', rest = ''] =
    /^workers\/(scripts|services|workers)\/([^/]+)\/?(.*)$/.exec(inAccount) ?? []
  const worker = workers.get(name)
  if (area === 'scripts' && method === 'PUT' && rest === '') {
    const created = worker ?? new Worker(name)
    created.deploy(created.upload(await form(request, body)))
    workers.set(name, created)
    return ok(created.uploaded())
  }
  if (!worker || area === undefined) {
    return problem(404, 10007, 'This Worker does not exist on your account.')
  }
  if (area === 'services' && method === 'DELETE') {
    workers.delete(name)
    return ok(null)
  }
  if (area === 'services') return ok(worker.service())
  if (area === 'workers') return ok(worker.overview())
  return scriptRoute(worker, method, rest, request, body)
}

async function scriptRoute(
  worker: Worker,
  method: string,
  rest: string,
  request: IncomingMessage,
  body: Uint8Array<ArrayBuffer>,
): Promise<Answer> {
  const [first, id] = rest.split('/')
  switch (`${method} ${first}`) {
    case 'GET secrets':
      return ok(worker.secretNames().map((name) => ({ name, type: 'secret_text' })))
    case 'PUT secrets': {
      const secret: { name: string; text: string } = JSON.parse(new TextDecoder().decode(body))
      worker.secrets.set(secret.name, secret.text)
      return ok({ name: secret.name, type: 'secret_text' })
    }
    case 'GET references':
      return ok({ services: { incoming: [], outgoing: [] }, durable_objects: [] })
    case 'GET deployments':
      return ok({ deployments: worker.deployments() })
    case 'POST deployments': {
      const { versions, annotations } = JSON.parse(new TextDecoder().decode(body))
      worker.deploy(versions[0].version_id, annotations)
      return ok(worker.deployments()[0])
    }
    case 'GET versions': {
      const version = id ? worker.version(id) : undefined
      if (!id) return ok({ items: worker.versions() })
      return version ? ok(version) : problem(404, 10208, 'Version not found.')
    }
    case 'POST versions':
      worker.upload(await form(request, body))
      return ok(worker.uploaded())
    case 'GET settings':
    case 'GET script-settings':
    case 'PATCH script-settings':
      return ok({ bindings: worker.shownBindings(), tags: [], migration_tag: null })
    case 'GET subdomain':
    case 'POST subdomain':
      return ok({ enabled: true, previews_enabled: false })
    case 'PUT schedules':
      worker.schedules = JSON.parse(new TextDecoder().decode(body)).map(
        (each: { cron: string }) => each.cron,
      )
      return ok({ schedules: worker.schedules.map((cron) => ({ cron })) })
    default:
      return problem(404, 7003, `No route for ${method} ${rest}`)
  }
}

/** Wrangler sends the bindings, secrets in clear among them, as the part `metadata`. */
async function form(request: IncomingMessage, body: Uint8Array<ArrayBuffer>): Promise<Metadata> {
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const parts = await new Response(body, { headers }).formData()
  return JSON.parse(String(parts.get('metadata')))
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

const ok = (result: unknown): Answer => ({
  status: 200,
  body: { success: true, errors: [], messages: [], result },
})

const problem = (status: number, code: number, message: string): Answer => ({
  status,
  body: { success: false, errors: [{ code, message }], messages: [], result: null },
})

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
