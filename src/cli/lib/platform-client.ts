/**
 * Platform client: one request to Adobe's Platform APIs, with its token, headers, deadline and retries.
 *
 * Promises: retries 408, 429, 5xx and network errors, a bounded number of times, honouring `Retry-After` up to a
 * minute; a token that expires on the way is asked for again once. A request that may have been carried out although
 * its answer was lost is not repeated blindly: `settled` is asked first. Fetch, clock and sleep are passed in.
 * Never puts a token or a secret into an error or into `seen`. An answer that does not end is not read to its end.
 */
import { jsonIn } from '../../worker/lib/json.ts'
import { PlatformError, readRefusal } from './platform-error.ts'
import { type ApiRequest, type Json, pathOf } from './platform-request.ts'
import { type Credential, requestToken, unanswered } from './platform-token.ts'
import { answerText } from './text.ts'

export type PlatformSettings = Credential & {
  readonly orgId: string
  readonly sandbox: string
  /** Without a slash at its end. */
  readonly platformUrl: string
}

export type Io = {
  readonly fetch: typeof globalThis.fetch
  readonly sleep: (ms: number) => Promise<void>
  /** 0 to 1. */
  readonly random: () => number
}

/** For a request that may be repeated. */
export type Send = (request: ApiRequest) => Promise<Json>

/** For a request that makes or changes something; `settled` finds out whether it did although no answer came. */
type SendOnce = <Settled>(
  request: ApiRequest,
  settled: () => Promise<Settled | null>,
) => Promise<{ readonly answer: Json } | { readonly settled: Settled }>

export type PlatformClient = { readonly send: Send; readonly sendOnce: SendOnce }

const ATTEMPTS = 5
const BASE_MS = 1_000
const CAP_MS = 16_000
const MAX_RETRY_AFTER_MS = 60_000
const TIMEOUT_MS = 30_000

type Watch = {
  /** Each request, before it is sent. */
  readonly seen?: (request: ApiRequest) => void
  /** A sentence, when something takes longer than a person expects. */
  readonly waiting?: (what: string) => void
}

/** Longer than Adobe usually takes. */
const PATIENCE_MS = 3_000

/** A token endpoint that cannot be reached is a wrong address more often than an outage. */
const TOKEN_ATTEMPTS = 2

export function platformClient(
  settings: PlatformSettings,
  io: Io,
  { seen = () => {}, waiting = () => {} }: Watch = {},
): PlatformClient {
  let token: string | null = null

  async function patiently<T>(host: string, ask: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => waiting(`No answer from ${host} yet…`), PATIENCE_MS)
    return ask().finally(() => clearTimeout(timer))
  }

  async function attempt(request: ApiRequest): Promise<Json> {
    token ??= await patiently(hostOf(settings.imsUrl), () =>
      requestToken(settings, (url, init) => io.fetch(url, init)),
    )
    return patiently(hostOf(settings.platformUrl), () => ask(request))
  }

  async function ask(request: ApiRequest): Promise<Json> {
    const response = await io.fetch(`${settings.platformUrl}${pathOf(request)}`, {
      method: request.method,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        accept: 'application/json',
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
        ...request.headers,
        authorization: `Bearer ${token}`,
        'x-api-key': settings.clientId,
        'x-gw-ims-org-id': settings.orgId,
        'x-sandbox-name': settings.sandbox,
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
    })
    const text = await answerText(response)
    const body = jsonIn(text) as Json | undefined
    if (response.ok && (body !== undefined || text === '')) return body ?? null
    const retryAfter = response.headers.get('retry-after')
    const refusal = response.ok
      ? { status: response.status, code: '', message: 'the answer is no JSON' }
      : { ...readRefusal(response.status, body), retryAfter }
    throw new PlatformError(`${request.method} ${request.path}`, refusal)
  }

  const sendOnce: SendOnce = async (request, settled) => {
    let renewed = false
    for (let tried = 1; ; tried += 1) {
      try {
        seen(request)
        return { answer: await attempt(request) }
      } catch (thrown) {
        const error = asPlatformError(request, thrown)
        const { status, retryAfter = null } = error.refusal
        if (status === 401 && token !== null && !renewed) {
          renewed = true
          token = null
          continue
        }
        const attempts = token === null && status === 0 ? TOKEN_ATTEMPTS : ATTEMPTS
        if (!isPassing(status) || tried >= attempts) throw error
        const ms = waitMs(tried, retryAfter, io.random)
        if (ms >= PATIENCE_MS) waiting(`${error.message}. Again in ${Math.ceil(ms / 1_000)} s…`)
        await io.sleep(ms)
        const found = status === 429 ? null : await settled()
        if (found !== null) return { settled: found }
      }
    }
  }
  const send: Send = async (request) => {
    const result = await sendOnce<never>(request, async () => null)
    return 'answer' in result ? result.answer : null
  }
  return { send, sendOnce }
}

function asPlatformError(request: ApiRequest, thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  return new PlatformError(`${request.method} ${request.path}`, unanswered(thrown))
}

const hostOf = (url: string) => new URL(url).host

function isPassing(status: number): boolean {
  return status === 0 || status === 408 || status === 429 || status >= 500
}

/** Exponential, the upper half at random; at least what Adobe asks for, in seconds or as a date. */
export function waitMs(tried: number, retryAfter: string | null, random: () => number): number {
  const ceiling = Math.min(BASE_MS * 2 ** (tried - 1), CAP_MS)
  const own = ceiling / 2 + (random() * ceiling) / 2
  const asked = /^\d+$/.test(retryAfter ?? '')
    ? Number(retryAfter) * 1_000
    : Date.parse(retryAfter ?? '') - Date.now()
  return Math.max(own, Math.min(Number.isNaN(asked) ? 0 : asked, MAX_RETRY_AFTER_MS))
}
