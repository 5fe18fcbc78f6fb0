/** The frame of every page: skip link, navigation, the result of the last action, content. */
import type { PropsWithChildren } from 'hono/jsx'
import { SCRIPT_PATH, STYLE_PATH } from '../assets.ts'
import { Button } from './parts.tsx'

const PLACES = [
  ['/admin', 'Overview'],
  ['/admin/ui/events', 'Events'],
  ['/admin/ui/find', 'Find'],
  ['/admin/ui/erase', 'Erase'],
  ['/admin/ui/suppressions', 'Suppressions'],
  ['/admin/ui/drift', 'Drift'],
  ['/admin/ui/alerts', 'Alerts'],
  ['/admin/ui/log', 'Log'],
] as const

/** What an action has done. `clean`: the address without it. */
export type Flash = { text: string; clean: string }

export type Frame = {
  title: string
  /** The address of the page, as in the navigation; empty where nobody is signed in. */
  place: string
  flash?: Flash | null
  /** A session can be ended here; Access has its own address for that. */
  signOut?: boolean
  refreshes?: boolean
  /** The browser goes there at once. */
  goTo?: string
}

export function Page(props: PropsWithChildren<Frame>) {
  const { title, place, flash, signOut, refreshes, goTo, children } = props
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        {goTo && <meta http-equiv="refresh" content={`0;url=${goTo}`} />}
        <title>{title} · Chatlio relay</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={STYLE_PATH} />
        <script src={SCRIPT_PATH} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          <b>Chatlio relay</b>
          {place !== '' && <Navigation place={place} signOut={signOut === true} />}
        </header>
        <p id="live" class="vh" role="status"></p>
        <main id="main" tabindex={-1} data-refresh={refreshes}>
          {flash && (
            <p class="flash" role="status" data-clean={flash.clean} tabindex={-1} autofocus>
              {flash.text}
            </p>
          )}
          {children}
        </main>
      </body>
    </html>
  )
}

function Navigation({ place, signOut }: { place: string; signOut: boolean }) {
  return (
    <>
      <nav aria-label="Main">
        <ul>
          {PLACES.map(([path, name]) => (
            <li>
              <a href={path} aria-current={path === place ? 'page' : undefined}>
                {name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {signOut ? (
        <form method="post" action="/admin/sign-out">
          <Button look="plain">Sign out</Button>
        </form>
      ) : (
        <a href="/cdn-cgi/access/logout">Sign out</a>
      )}
    </>
  )
}
