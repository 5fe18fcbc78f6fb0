/**
 * Who is admitted to the operators' routes: the admin token as `Authorization: Bearer` (the API), the session of someone
 * who signed in with it (the page), or Cloudflare Access (both).
 *
 * Promises: fails closed. Without a token and an audience these routes do not exist. Access counts only with the
 * configured audience: any other application of the account admits nobody. A request that changes something, and that a
 * browser may have been tricked into sending (no Bearer token), must come from our own pages.
 */
import type { MiddlewareHandler } from 'hono'
import { csrf } from 'hono/csrf'
import { readSessionCookie } from '../http/auth.ts'
import { problemResponse } from '../http/problem.ts'
import { type AppContext, servicesOf } from '../services.ts'

type AdminEnv = { Bindings: Env }

type Admission = 'token' | 'session' | 'access'

export function hasOperators(c: AppContext): boolean {
  const { adminKeys, config } = servicesOf(c.env)
  return adminKeys !== null || config.accessAud !== null
}

/** For the API: a session opens nothing here. */
export const apiAccess: MiddlewareHandler<AdminEnv> = async (c, next) => {
  if (!hasOperators(c)) return problemResponse({ code: 'not-found' })
  const admission = await admit(c, 'token')
  if (!admission) return problemResponse({ code: 'unauthorized', realm: 'admin' })
  if (admission !== 'token' && !(await isFromHere(c))) {
    return problemResponse({ code: 'forbidden' })
  }
  await nameOperator(c, admission)
  return next()
}

/** How this request is admitted; `null`: not at all. */
export async function admit(c: AppContext, own: 'token' | 'session'): Promise<Admission | null> {
  const { adminKeys, sessions, config } = servicesOf(c.env)
  const [, token] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? []
  if (own === 'token' && (await adminKeys?.find(token))) return 'token'
  const cookie = readSessionCookie(c.req.header('cookie'))
  if (own === 'session' && (await sessions?.isOpen(cookie, Date.now()))) return 'session'
  const { access } = c.executionCtx as Pick<ExecutionContext, 'access'>
  return access && config.accessAud !== null && access.aud === config.accessAud ? 'access' : null
}

const sameOrigin = csrf()

/** By `Sec-Fetch-Site` or `Origin`; a request that only reads may come from anywhere. */
export async function isFromHere(c: AppContext): Promise<boolean> {
  try {
    await sameOrigin(c, async () => undefined)
    return true
  } catch {
    return false
  }
}

/** The name under which the address of an operator whom Cloudflare Access let in is left for the log. */
const OPERATOR = 'operator'

const ADMITTED = 'admitted'

/** Whether an operator asks: only they see which relay this is. */
export const isAdmitted = (c: AppContext) => c.get(ADMITTED as never) === true

/** Leaves that an operator asks, and for the operators' log who acts. Access is asked for an address only when something is done, or taken away. */
export async function nameOperator(c: AppContext, admission: Admission): Promise<void> {
  c.set(ADMITTED as never, true as never)
  const { method, path } = c.req
  const isRead = (method === 'GET' || method === 'HEAD') && !path.endsWith('/export')
  if (admission !== 'access' || isRead) return
  const { access } = c.executionCtx as Pick<ExecutionContext, 'access'>
  const identity = await access?.getIdentity().catch(() => undefined)
  c.set(OPERATOR as never, (identity?.email ?? 'access') as never)
}

/** That address, or `token`. */
export function operatorOf(c: AppContext): string {
  const operator: unknown = c.get(OPERATOR as never)
  return typeof operator === 'string' ? operator : 'token'
}
