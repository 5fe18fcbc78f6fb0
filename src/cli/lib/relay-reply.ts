/**
 * Relay reply: one request to the relay from outside, and who it was that answered.
 *
 * Promises: never follows a redirect (Chatlio need not either, and a followed one would hide what stands in front);
 * never rejects; names Cloudflare Access by its redirect, its headers or its pages; an answer is the relay's own only
 * if it reads like one; never shows a token that was sent, even if the server repeats it. Reads at most 64 KiB of an
 * answer, of an operators' route 16 MiB. The text that it returns holds neither the key nor a body.
 */
import { isObject, jsonIn } from '../../worker/lib/json.ts'
import { keepSecret } from './printable.ts'

export type Reply =
  /** The relay's own JSON. */
  | { readonly by: 'relay'; readonly status: number; readonly body: Fields }
  /** Cloudflare Access stands in front: the request never reached the Worker. `isAdmin`: where it may. */
  | { readonly by: 'access'; readonly isAdmin: boolean }
  | { readonly by: 'redirect'; readonly status: number; readonly to: string }
  /** Something answers there, but it is not the relay. */
  | { readonly by: 'other'; readonly status: number }
  | {
      readonly by: 'nobody'
      readonly reason: 'network' | 'name' | 'certificate' | 'timeout' | 'cut' | 'connection'
      readonly code: string
    }

export type Fields = Readonly<Record<string, unknown>>

type RelayRequest = {
  readonly method: 'GET' | 'POST'
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
  /** Of the answer; 64 KiB by default. */
  readonly maxBytes?: number
  /** Ends it, before its time is over. */
  readonly signal?: AbortSignal
}

/** Above anything the relay itself allows for one webhook. */
const TIMEOUT_MS = 45_000
const MAX_ANSWER_BYTES = 65_536
/** Ninety days by the hour, every kind and outcome; a thousand failures; thousands of suppressions. */
const MAX_ADMIN_BYTES = 16_777_216

export async function askRelay(
  url: string,
  { maxBytes = MAX_ANSWER_BYTES, signal: ended, ...request }: RelayRequest,
): Promise<Reply> {
  keepSecret(request.headers?.authorization?.replace(/^Bearer /, '') ?? '')
  try {
    const late = AbortSignal.timeout(TIMEOUT_MS)
    const signal = ended ? AbortSignal.any([ended, late]) : late
    const response = await fetch(url, { ...request, redirect: 'manual', signal })
    return replyOf(response, url, await textOf(response, maxBytes))
  } catch (error) {
    return { by: 'nobody', ...whyNobody(error) }
  }
}

/** An operator of a relay. `base`: its address, without a slash at the end. */
export type Operator = { readonly base: string; readonly adminToken: string }

/** One request to an operators' route, with a body a POST. */
export function askAdmin(
  { base, adminToken }: Operator,
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<Reply> {
  return askRelay(`${base}/admin/${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    maxBytes: MAX_ADMIN_BYTES,
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
}

export type AdminAnswer =
  | { readonly status: number; readonly body: Fields }
  | { readonly wrong: string }

/** The same, of any status but 401: what it means is the caller's to say. */
export async function adminAnswer(...request: Parameters<typeof askAdmin>): Promise<AdminAnswer> {
  const reply = await askAdmin(...request)
  if (reply.by !== 'relay') return { wrong: explainReply(reply) }
  return reply.status === 401
    ? { wrong: 'The admin token is wrong: the relay has another ADMIN_TOKEN.' }
    : reply
}

function replyOf({ status, headers }: Response, url: string, text: string): Reply {
  const location = headers.get('location')
  const access: Reply = { by: 'access', isAdmin: /\/admin(\/|$)/.test(new URL(url).pathname) }
  if (status >= 300 && status < 400 && location !== null) {
    const to = new URL(location, url)
    return isAccessHost(to.hostname) || to.pathname.startsWith('/cdn-cgi/access/')
      ? access
      : { by: 'redirect', status, to: `${to.origin}${to.pathname}` }
  }
  const body = jsonIn(text)
  if (isObject(body) && isRelays(body)) return { by: 'relay', status, body }
  const fromAccess =
    headers.has('cf-access-domain') ||
    headers.has('cf-access-aud') ||
    /cloudflare-access/i.test(headers.get('www-authenticate') ?? '') ||
    /cloudflareaccess\.com|\/cdn-cgi\/access\/|cloudflare access|missing jwt/i.test(text)
  return fromAccess ? access : { by: 'other', status }
}

function isAccessHost(hostname: string): boolean {
  return hostname === 'cloudflareaccess.com' || hostname.endsWith('.cloudflareaccess.com')
}

/** An acceptance or a health report has `status`, a problem `code`, an admin answer one of `ADMIN`, or `id` and `state`. */
function isRelays(body: Fields): boolean {
  const { status, code, id, state } = body
  if (typeof status === 'string') return /^[a-z-]+$/.test(status)
  const isAdmins = ADMIN.some((name) => typeof body[name] === 'number' || Array.isArray(body[name]))
  return typeof code === 'string' || isAdmins || Boolean(id && (state || body.until))
}

/** A count or a list that tells an answer of an admin route. */
const ADMIN = 'accepted matched count rows points events hours indexes problems copied'.split(' ')

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= maxBytes) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

function whyNobody(error: unknown): Pick<Extract<Reply, { by: 'nobody' }>, 'reason' | 'code'> {
  if (error instanceof Error && error.name === 'TimeoutError')
    return { reason: 'timeout', code: 'timeout' }
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const code = String((cause as { code?: unknown } | undefined)?.code ?? 'failed')
  // The name server, or the way there: of the relay it says nothing.
  if (/^(EAI_AGAIN|ENET|EHOST)/.test(code)) return { reason: 'network', code }
  if (/^(ENOTFOUND|EAI_)/.test(code)) return { reason: 'name', code }
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|SSL|TLS|EPROTO/.test(code)) {
    return { reason: 'certificate', code }
  }
  if (/TIMEDOUT|TIMEOUT/.test(code)) return { reason: 'timeout', code }
  // Something took the connection, and let go of it.
  return { reason: /ECONNRESET|EPIPE|UND_ERR_SOCKET/.test(code) ? 'cut' : 'connection', code }
}

/** What stands in the way, and what to do: for every reply that is not the relay's own. */
export function explainReply(reply: Exclude<Reply, { by: 'relay' }>): string {
  switch (reply.by) {
    case 'access':
      if (reply.isAdmin) return ACCESS_TO_ADMIN
      return 'Cloudflare Access answers before the relay, so Chatlio is sent to a login page and its events are lost. Let Access protect the path /admin alone, or add a bypass for /chatlio and /health.'
    case 'redirect':
      return `Redirects to ${reply.to} (${reply.status}). A webhook must not be redirected: use that address as --url and in Chatlio, or remove the redirect.`
    case 'other':
      if (reply.status === 429 || reply.status >= 500) {
        return `Answered ${reply.status}, and not by the relay: Cloudflare does not run it at the moment, or something stands before it. Run it again; if it lasts, look at the Worker in Cloudflare's dashboard (Workers & Pages: errors, and the limits of the plan).`
      }
      return `Something answers there (${reply.status}), but not the relay: it is not deployed at this address. Check the address.`
    case 'nobody':
      return NOBODY[reply.reason].replace('{code}', reply.code)
  }
}

const ACCESS_TO_ADMIN =
  'Cloudflare Access stands before /admin, as it may. Commands cannot get through it, since they send no service token: use the page, where you can sign in.'

const NOBODY = {
  network:
    'The network does not lead there ({code}). Check it, a VPN or a firewall, and run it again.',
  name: 'No such host ({code}): the relay is not deployed at this address, or its name is misspelt.',
  certificate:
    'The TLS certificate is not accepted ({code}), so Chatlio cannot connect either. A new domain may need some minutes.',
  timeout: 'No answer in time ({code}).',
  cut: 'The connection broke before there was an answer ({code}). Run it again.',
  connection:
    'No connection ({code}): nothing listens at this address, so the relay is not deployed there.',
} as const
