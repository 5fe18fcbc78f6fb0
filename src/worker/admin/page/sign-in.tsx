/**
 * Signing in with the admin token, and out.
 * Promises: the token is compared in constant time, and neither kept nor shown; wrong ones are slowed by the binding
 * `SIGN_IN_LIMIT`, where there is one. Accepts: it counts everyone of one Cloudflare location together, so a stranger's
 * guessing can keep operators there from signing in; their sessions, the API and Access go on.
 */
import { sessionCookie } from '../../http/auth.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { readForm } from '../input.ts'
import { ownPage } from './addresses.ts'
import { respond, seeOther } from './frame.tsx'
import { Button, Field, Hidden } from './parts.tsx'

/** The period of the binding in wrangler.toml. */
const LIMIT_SECONDS = 60

export function showSignIn(c: AppContext): Response {
  return answer(c, 200, ownPage(c.req.query('next')))
}

export async function signIn(c: AppContext): Promise<Response> {
  const { adminKeys, sessions } = servicesOf(c.env)
  if (!adminKeys || !sessions) return answer(c, 401, '/admin')
  const form = await readForm(c.req.raw)
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

type SignInProps = {
  /** Whether the admin token signs in here; otherwise Cloudflare Access does. */
  takesToken: boolean
  /** The page to show then. */
  next: string
  fault?: string
}

/** The only page that anyone may see. */
function SignIn({ takesToken, next, fault }: SignInProps) {
  return (
    <>
      <h1>Sign in</h1>
      {fault && (
        <p class="card bad" role="alert">
          {fault}
        </p>
      )}
      {takesToken ? (
        <form method="post" action="/admin/sign-in">
          <Hidden values={{ next }} />
          <Field
            label="Admin token"
            name="token"
            type="password"
            autocomplete="current-password"
            required
          />
          <p class="row">
            <Button look="main">Sign in</Button>
          </p>
          <p class="soft">
            The secret ADMIN_TOKEN of the Worker. You stay signed in for 12 hours, in this browser.
          </p>
        </form>
      ) : (
        <p>
          Cloudflare Access signs operators in, and it has not done so for this address: an Access
          application must cover the path <code>/admin</code>, and ACCESS_AUD be its audience.
        </p>
      )}
    </>
  )
}
