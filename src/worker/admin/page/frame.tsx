/**
 * The frame of every page, and how it is answered: skip link, navigation, the result of the last command, content; the
 * style and the script beside it.
 *
 * Promises of the headers: nothing from elsewhere is loaded, nothing inline runs, nobody frames the page, no search engine
 * keeps it, and no address of it leaves with a link. `no-store` and `nosniff` come with every operators' answer.
 */
import type { Child } from 'hono/jsx'
import { isProduction, type RelayName } from '../../alerts/words.ts'
import { readSessionCookie } from '../../http/auth.ts'
import { problemResponse } from '../../http/problem.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { isAdmitted } from '../routes.ts'
import { destinationOf } from '../run/relay.ts'
import { flashOf, PLACES } from './addresses.ts'
import { client } from './client/page.js'
import { Button, Time } from './parts.tsx'
import { STYLE } from './style.ts'
import { capitalized } from './words.ts'

type Frame = {
  title: string
  /** Where it is in the navigation; absent: nowhere, and it shows no result of a command. */
  place?: keyof typeof PLACES
  /** Seconds after which it is shown anew; absent: it stays. */
  refreshes?: number | undefined
  /** The browser goes there at once. */
  goTo?: string
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex',
  'referrer-policy': 'no-referrer',
}

type Status = 200 | 400 | 401 | 403 | 404 | 429 | 503

export function respond(c: AppContext, frame: Frame, content: Child, status: Status = 200) {
  return c.html(`<!doctype html>${page(c, frame, content)}`, status, HEADERS)
}

/** A fault in words. `title` says what it is, `text` what to do. */
export function respondFault(c: AppContext, status: Status, title: string, text: string) {
  const content = (
    <section class={status === 503 ? 'card bad' : undefined}>
      <h1>{title}</h1>
      <p>{text}</p>
    </section>
  )
  return respond(c, { title }, content, status)
}

export function badRequest(c: AppContext, detail: string) {
  return respondFault(c, 400, 'This cannot be read', detail)
}

/** Has the browser ask for the same page again, from here. Shows nothing of it. */
export function askAgain(c: AppContext) {
  const { pathname, search } = new URL(c.req.url)
  const address = pathname + search
  const content = (
    <p>
      <a href={address}>Continue</a>
    </p>
  )
  return respond(c, { title: 'One moment', goTo: address }, content)
}

/** After something was done: the browser asks for `path` with GET. */
export function seeOther(path: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 303, headers: { location: path, ...headers } })
}

/** This one, as commands name it. */
export function relayOf(c: AppContext): RelayName {
  const { environment } = servicesOf(c.env).config
  return { environment, publicUrl: new URL(c.req.url).origin }
}

function page(c: AppContext, { title, place, refreshes, goTo }: Frame, content: Child) {
  const flash = place ? flashOf(c.req.url) : null
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        {goTo && <meta http-equiv="refresh" content={`0;url=${goTo}`} />}
        <title>{title} · Chatlio relay</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={`/admin/assets/${assetName('css')}`} />
        <script src={`/admin/assets/${assetName('js')}`} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          {isAdmitted(c) ? (
            <>
              <Which c={c} />
              <SignOut c={c} />
              <nav aria-label="Main">
                <ul>
                  {Object.entries(PLACES).map(([name, path]) => (
                    <li>
                      <a href={path} aria-current={name === place ? 'page' : undefined}>
                        {capitalized(name)}
                      </a>
                    </li>
                  ))}
                </ul>
              </nav>
            </>
          ) : (
            <b>Chatlio relay</b>
          )}
        </header>
        <p id="live" class="vh" role="status"></p>
        <main id="main" tabindex={-1} data-refresh={refreshes}>
          {flash && (
            <p class="flash" role="status" data-clean={flash.clean} tabindex={-1} autofocus>
              {flash.text}
            </p>
          )}
          {content}
        </main>
      </body>
    </html>
  )
}

/** Which relay this is: its name, where it sends, and what runs. What is not called production looks otherwise. */
function Which({ c }: { c: AppContext }) {
  const services = servicesOf(c.env)
  const { environment } = services.config
  const { id, tag, deployedAt } = services.version
  const name = environment ?? new URL(c.req.url).host
  const to = destinationOf(services)
  return (
    <p class="which">
      <b>Chatlio relay</b> <b class={isProduction(environment) ? 'env' : 'env other'}>{name}</b>{' '}
      <small>
        {to ? `${to.host}/…${to.inlet.slice(-4)}\u00a0· ${to.format}` : 'AEP is not configured'}
        {(tag || id) && `\u00a0· ${tag ?? id?.slice(0, 8)}`}
        <Time before=" (" at={deployedAt} after=")" />
      </small>
    </p>
  )
}

/** A session is ended here; Access has its own address for that. */
function SignOut({ c }: { c: AppContext }) {
  const hasSession = readSessionCookie(c.req.header('cookie')) !== ''
  if (!hasSession) return <a href="/cdn-cgi/access/logout">Sign out</a>
  return (
    <form method="post" action="/admin/sign-out">
      <Button look="plain">Sign out</Button>
    </form>
  )
}

/**
 * The style and the script. Their addresses hold a hash of their content, so browsers keep them for good, and never with
 * an older or newer page. Public: they are the same for everyone.
 */
const ASSETS = {
  css: { type: 'text/css', text: STYLE },
  js: { type: 'text/javascript', text: `(${client})()` },
}

const names: { [Suffix in keyof typeof ASSETS]?: string } = {}

/** Hashed with the first page: most isolates show none. */
function assetName(suffix: keyof typeof ASSETS): string {
  names[suffix] ??= `page.${hash(ASSETS[suffix].text)}.${suffix}`
  return names[suffix]
}

export function assetResponse(name: string): Response {
  const suffix = (['css', 'js'] as const).find((each) => assetName(each) === name)
  if (!suffix) return problemResponse({ code: 'not-found' })
  const { type, text } = ASSETS[suffix]
  return new Response(text, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** FNV-1a: distinguishes versions; no protection against anybody. */
function hash(text: string): string {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(8, '0')
}
