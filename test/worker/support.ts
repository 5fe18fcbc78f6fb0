/** What tests of the whole Worker share: a local AEP behind `fetch`, a clock of their own, the routes. */
import {
  createExecutionContext,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
  waitOnExecutionContext,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, vi } from 'vitest'
import {
  createLocalAdobe,
  type LocalAdobe,
  type LocalAdobeOptions,
} from '../../src/local-adobe/app.ts'
import worker from '../../src/worker/index.ts'
import { outboxOf } from '../../src/worker/outbox/outbox.ts'
import { servicesOf, waits } from '../../src/worker/services.ts'

export const KEY = 'test-webhook-key-number-one'
export const TOKEN = 'test-admin-token-of-some-length'

/** What a relay in xdm is set to beside the settings of `vitest.config.ts`, for the local AEP with an authenticated inlet. */
const XDM = {
  AEP_FORMAT: 'xdm',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'local-dataset',
  AEP_SCHEMA_ID: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  AEP_TENANT: 'localtenant',
  AEP_CLIENT_ID: 'local-client',
  AEP_CLIENT_SECRET: 'local-client-secret',
  AEP_IMS_URL: 'http://127.0.0.1:8788',
}

/**
 * A local AEP in the place of the network, and the relay set to its format. Anything else that is fetched goes to it as
 * well, and is seen.
 */
export function startAep(options: LocalAdobeOptions = {}): LocalAdobe {
  if (options.mode === 'xdm') Object.assign(env, XDM)
  const aep = createLocalAdobe({ mode: 'raw', ...options })
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) =>
    aep.fetch(input as Request | URL | string, init as RequestInit),
  )
  return aep
}

/** For what happens by itself, on the real clock: a busy machine takes longer. */
export const BY_ITSELF = { timeout: 20_000 }

const DAY_MS = 86_400_000
/** Half a minute into it, so that a test that moves the clock a little stays in the same minute, hour and day. */
const HALF_PAST_NOON_MS = 12 * 3_600_000 + 30 * 60_000 + 30_000

/**
 * A clock of the test's own. More than a day ahead: real alarms, which run on the real clock, then never fire by
 * themselves, and waits of hours take no time. Always at the same time of day, so that no hour ends within a test.
 */
export function startClock() {
  let now = Math.floor(Date.now() / DAY_MS + 2) * DAY_MS + HALF_PAST_NOON_MS
  vi.useFakeTimers({ toFake: ['Date'], now })
  return {
    get now() {
      return now
    },
    set(ms: number) {
      now = Math.max(now, ms)
      vi.setSystemTime(now)
    },
    advance(ms: number) {
      this.set(now + ms)
    },
  }
}
export type Clock = ReturnType<typeof startClock>

export type Answered = { response: Response; status: number; body: Record<string, unknown> }

/**
 * One isolate of the Worker, with memory of its own: `variables` override the environment. Its requests do not stay to
 * report: that is done with the next exchange that is due.
 */
export function startRelay(variables: Record<string, unknown> = {}) {
  vi.spyOn(waits, 'wait').mockRejectedValue(new Error('not in tests'))
  const ownEnv = { ...env, ...variables } as Env
  const send = async (path: string, init: RequestInit = {}): Promise<Answered> => {
    const ctx = createExecutionContext()
    const request = new Request(`https://relay.example${path}`, init)
    const response = await worker.fetch(request as never, ownEnv, ctx)
    const text = new TextDecoder().decode(await response.clone().bytes())
    await waitOnExecutionContext(ctx)
    const isJson = text !== '' && /[/+]json/.test(response.headers.get('content-type') ?? '')
    return { response, status: response.status, body: isJson ? JSON.parse(text) : {} }
  }
  const admin = (path: string, init: RequestInit = {}) =>
    send(`/admin${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}` } })
  return {
    send,
    /** `body` is sent as it is when it is text or bytes, as JSON otherwise. */
    post: (route: string, body: unknown, headers: Record<string, string> = {}) =>
      send(`/chatlio${route === 'auto' ? '' : `/${route}`}?key=${KEY}`, {
        method: 'POST',
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    get: (path: string) => admin(path),
    command: (path: string, body?: unknown) =>
      admin(path, { method: 'POST', ...(body !== undefined && { body: JSON.stringify(body) }) }),
    erase: (id: string) => admin(`/events/${id}`, { method: 'DELETE' }),
    remove: (path: string, body: unknown) =>
      admin(path, { method: 'DELETE', body: JSON.stringify(body) }),
    health: () => send('/health'),
    /** Reports counts and receipts now, and hears of pauses, holds and suppressions. */
    report: () => servicesOf(ownEnv).reporter.report(),
    async scheduled() {
      const ctx = createExecutionContext()
      await worker.scheduled({} as ScheduledController, ownEnv)
      await waitOnExecutionContext(ctx)
    },
  }
}
export type Relay = ReturnType<typeof startRelay>

/** What most tests begin with: a silent console, a clock of their own, a local AEP and one isolate of the Worker. */
type World = { logs: string[]; clock: Clock; aep: LocalAdobe; relay: Relay }

/** Anew before each test; after it, the outbox is empty again. */
export function eachTest(begin: (world: World) => void, options: LocalAdobeOptions = {}): void {
  beforeEach(() => {
    serial = 0
    begin({ logs: captureLogs(), clock: startClock(), aep: startAep(options), relay: startRelay() })
  })
  afterEach(async () => {
    vi.useRealTimers()
    await reset()
  })
}

export const outbox = () => outboxOf(env)

/** Every value of every table of the outbox, and of its key-value storage; bytes as text, and as digits. */
export const allStored = () =>
  runInDurableObject(outbox(), (_, { storage }) => {
    const kept = [...storage.kv.list()].map((entry) => JSON.stringify(entry))
    const tables = storage.sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
      )
      .toArray()
    const decoder = new TextDecoder()
    const values = tables
      .flatMap(({ name }) => storage.sql.exec(`SELECT * FROM "${name}"`).toArray())
      .flatMap((row) => Object.values(row))
      .map((value) =>
        value instanceof ArrayBuffer
          ? `${decoder.decode(value)} ${new Uint8Array(value).toHex()}`
          : String(value),
      )
    return [...values, ...kept].join('\n')
  })

/** Lets the outbox's next attempts happen, at the moment they are due; `false` when none is due any more. */
export async function drainOnce(clock: Clock): Promise<boolean> {
  const { nextAttemptAt } = await outbox().status()
  if (nextAttemptAt === null) return false
  clock.set(nextAttemptAt)
  await runDurableObjectAlarm(outbox())
  return true
}

export async function drainAll(clock: Clock, limit = 200): Promise<void> {
  for (let runs = 0; runs < limit; runs += 1) {
    if (!(await drainOnce(clock))) return
  }
  throw new Error(`still work to do after ${limit} runs`)
}

/** A distinct valid event each time; from the first again in each test, whatever ran before it. */
let serial = 0
export function conversation(fields: Record<string, unknown> = {}) {
  serial += 1
  return {
    visitor: { UUID: `visitor-${serial}` },
    message: `message ${serial}`,
    conversationUUID: `conversation-${serial}`,
    ...fields,
  }
}

/** Stores events without asking AEP, so that they are drained together. Returns their ids. */
export async function storeEvents(
  count: number,
  fields: (index: number) => Record<string, unknown> = () => ({}),
): Promise<string[]> {
  const storing = startRelay({ FORWARD_TIMEOUT_MS: '0' })
  const ids: string[] = []
  for (let index = 0; index < count; index += 1) {
    ids.push(String((await storing.post('feedback', conversation(fields(index)))).body.id))
  }
  return ids
}

/** Every line logged from now on, as text. */
export function captureLogs(): string[] {
  const lines: string[] = []
  for (const level of ['log', 'warn', 'error', 'info', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...parts: unknown[]) => {
      lines.push(parts.map(String).join(' '))
    })
  }
  return lines
}
