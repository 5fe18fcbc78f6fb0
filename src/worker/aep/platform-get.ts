/**
 * Reads from Adobe's Platform APIs: what AEP has, to compare it with what was sent.
 *
 * Promises: GET alone, with a deadline that its body is under as well; no redirect is followed, since it would carry the
 * token elsewhere; sizes are limited while reading. A refusal is a value, never an exception, and holds none of Adobe's words.
 */
import { type Fetch, readTextUpTo } from '../lib/bounded.ts'
import { isObject, type JsonObject, jsonIn } from '../lib/json.ts'

const MAX_LIST_BYTES = 4_000_000
const MAX_FILE_BYTES = 32_000_000
const MAX_LINE_CHARACTERS = 4_000_000

/** A GET with all headers, `path` from `/data/…` on. Rejects when there is no answer in time. */
export type PlatformGet = (path: string) => Promise<Response>

export type PlatformProblem = {
  readonly what: 'token' | 'runs' | 'batches' | 'files'
  /** `permission`: the credential may not; `failed`: no answer, or none that can be read. */
  readonly reason: 'permission' | 'failed'
  readonly status: number | null
}

/** What a role needs that reads what landed. */
export const VIEW =
  'Data Ingestion: View Sources, Data Management: View Datasets, View Monitoring Dashboard'

const WHAT: Readonly<Record<PlatformProblem['what'], string>> = {
  token: 'asking for a token',
  runs: 'reading the runs of the dataflow',
  batches: 'reading its batches',
  files: 'reading the rows of a failed batch',
}

/** What to do about something that could not be read. `later`: when it is tried again, or may be. */
export function explainProblem({ what, reason, status }: PlatformProblem, later: string): string {
  const answer = status === null ? 'Adobe did not answer' : `Adobe answered ${status}`
  if (reason === 'failed') return `${answer}, or with nothing readable, to ${WHAT[what]}. ${later}`
  return what === 'token'
    ? `${answer} to ${WHAT[what]}: the client id or the secret of this credential is wrong, or its scopes.`
    : `${answer} to ${WHAT[what]}. Give the role of this API credential ${VIEW} in this sandbox.`
}

/** A line that is too long is cut; a file that is too long is read no further. */
export async function* linesOf({ body }: Response): AsyncGenerator<string> {
  if (!body) return
  const decoder = new TextDecoder()
  let rest = ''
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARACTERS)
    yield* lines
    if (bytes > MAX_FILE_BYTES) return
  }
  yield rest + decoder.decode()
}

/** The last moment that a `Date` can hold. */
const LAST_MOMENT = 8.64e15

/** Reads a time that Adobe gives in epoch milliseconds; `null`: no `Date` can hold it. */
export function momentOf(value: unknown): number | null {
  const isMoment = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LAST_MOMENT
  return isMoment ? Number(value) : null
}

/** The token of a list's next page (Flow Service); `null`: this is the last. */
export function continuationOf({ _links }: JsonObject): string | null {
  const next = isObject(_links) && isObject(_links.next) ? _links.next.href : undefined
  const query = typeof next === 'string' ? next.slice(next.indexOf('?') + 1) : ''
  return new URLSearchParams(query).get('continuationToken') || null
}

/** A JSON object. */
export async function getJson(
  get: PlatformGet,
  what: PlatformProblem['what'],
  path: string,
): Promise<{ readonly json: JsonObject } | PlatformProblem> {
  const answer = await getAnswer(get, what, path)
  if ('what' in answer) return answer
  const { text, complete } = await readTextUpTo(answer, MAX_LIST_BYTES).catch(() => {
    return { text: '', complete: false }
  })
  const json = complete ? jsonIn(text) : null
  return isObject(json) ? { json } : { what, reason: 'failed', status: answer.status }
}

export async function getAnswer(
  get: PlatformGet,
  what: PlatformProblem['what'],
  path: string,
): Promise<Response | PlatformProblem> {
  try {
    const response = await get(path)
    const { status } = response
    if (response.ok) return response
    await response.body?.cancel()
    const reason = status === 401 || status === 403 ? 'permission' : 'failed'
    return { what, reason, status }
  } catch {
    return { what, reason: 'failed', status: null }
  }
}

type PlatformAccess = {
  /** Without a slash at its end. */
  readonly platformUrl: string
  readonly clientId: string
  readonly orgId: string
  readonly sandbox: string
}

/** Adobe answers within 60 s or not at all. */
const GET_TIMEOUT_MS = 60_000

/**
 * `token`: resolves to an access token other than `refused`, the one that Adobe has just refused; rejects if it gets none.
 * `deadline`: of one request, its body included; made when the request leaves.
 */
export function platformGet(
  { platformUrl, clientId, orgId, sandbox }: PlatformAccess,
  token: (refused: string | null) => Promise<string>,
  fetch: Fetch,
  deadline: () => AbortSignal = () => AbortSignal.timeout(GET_TIMEOUT_MS),
): PlatformGet {
  const ask = (path: string, value: string) =>
    fetch(`${platformUrl}${path}`, {
      redirect: 'manual',
      signal: deadline(),
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${value}`,
        'x-api-key': clientId,
        'x-gw-ims-org-id': orgId,
        'x-sandbox-name': sandbox,
      },
    })
  return async (path) => {
    const first = await token(null)
    const response = await ask(path, first)
    if (response.status !== 401) return response
    await response.body?.cancel()
    return ask(path, await token(first))
  }
}
