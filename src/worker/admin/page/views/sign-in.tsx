/** The only page that anyone may see. */
import { Button, Field, Hidden } from './parts.tsx'

export type SignInProps = {
  /** Whether the admin token signs in here; otherwise Cloudflare Access does. */
  takesToken: boolean
  /** The page to show then. */
  next: string
  fault?: string
}

export function SignIn({ takesToken, next, fault }: SignInProps) {
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
