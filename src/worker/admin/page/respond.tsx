/**
 * Answers in HTML. Their headers: nothing from elsewhere is loaded, nothing inline runs, nobody frames the page, no search
 * engine keeps it, and no address of it leaves with a link. `no-store` and `nosniff` come with every operators' answer.
 */
import type { Child } from 'hono/jsx'
import { readSessionCookie } from '../../http/sessions.ts'
import type { AppContext } from '../../services.ts'
import { type Frame, Page } from './views/layout.tsx'

type Status = 200 | 400 | 401 | 403 | 404 | 429 | 503

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex',
  'referrer-policy': 'no-referrer',
}

export function respond(
  c: AppContext,
  frame: Frame,
  content: Child,
  status: Status = 200,
): Response {
  const signOut = readSessionCookie(c.req.header('cookie')) !== ''
  const html = (
    <Page {...frame} signOut={signOut}>
      {content}
    </Page>
  )
  return c.html(`<!doctype html>${html}`, status, HEADERS)
}

/** A fault in words. `title` says what it is, `text` what to do. */
export function respondFault(c: AppContext, status: Status, title: string, text: string): Response {
  const content = (
    <>
      <h1>{title}</h1>
      <p>{text}</p>
    </>
  )
  return respond(c, { title, place: '/' }, content, status)
}

/** Has the browser ask for the same page again, from here. Shows nothing of it. */
export function askAgain(c: AppContext): Response {
  const { pathname, search } = new URL(c.req.url)
  const address = pathname + search
  const content = (
    <p>
      <a href={address}>Continue</a>
    </p>
  )
  return respond(c, { title: 'One moment', place: '', goTo: address }, content)
}

/** After something was done: the browser asks for `path` with GET. */
export function seeOther(path: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 303, headers: { location: path, ...headers } })
}
