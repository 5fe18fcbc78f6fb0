/**
 * Signing in with the admin token, and out.
 * Promises: the token is compared in constant time, and neither kept nor shown; wrong ones are slowed by the binding
 * `SIGN_IN_LIMIT`, where there is one. Accepts: it counts everyone of one Cloudflare location together, so a stranger's
 * guessing can keep operators there from signing in; their sessions, the API and Access go on.
 */
import { sessionCookie } from '../../http/sessions.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { readForm } from './form.ts'
import { respond, seeOther } from './respond.tsx'
import { SignIn } from './views/sign-in.tsx'
import { ownPage } from './way-back.ts'

/** The period of the binding in wrangler.toml. */
const LIMIT_SECONDS = 60

export function showSignIn(c: AppContext): Response {
  return answer(c, 200, ownPage(c.req.query('next')))
}

export async function signIn(c: AppContext): Promise<Response> {
  const { adminKeys, sessions } = servicesOf(c.env)
  if (!adminKeys || !sessions) return answer(c, 401, '/admin')
  const form = await readForm(c)
  const next = ownPage(form.get('next'))
  // A deployment may have no such binding, a named environment for instance.
  const limit = (c.env as Partial<Env>).SIGN_IN_LIMIT
  if (limit && !(await limit.limit({ key: 'sign-in' })).success) {
    c.header('retry-after', String(LIMIT_SECONDS))
    return answer(c, 429, next, 'Too many attempts. Try again in a minute.')
  }
  if ((await adminKeys.find(form.get('token')?.trim())) === null) {
    return answer(c, 401, next, 'This is not the admin token.')
  }
  return seeOther(next, { 'set-cookie': sessionCookie(await sessions.start(Date.now())) })
}

export function signOut(): Response {
  return seeOther('/admin/sign-in', { 'set-cookie': sessionCookie('') })
}

function answer(c: AppContext, status: 200 | 401 | 429, next: string, fault?: string): Response {
  const takesToken = servicesOf(c.env).adminKeys !== null
  const content = <SignIn takesToken={takesToken} next={next} {...(fault && { fault })} />
  return respond(c, { title: 'Sign in', place: '' }, content, status)
}
