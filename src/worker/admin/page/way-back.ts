/**
 * Signing in, and then seeing the page that was asked for.
 * Promises: leads to nothing but our own pages, whatever an address says. Pure.
 */

/** Any origin will do: an address that resolves to another one is not ours. */
const OURS = 'https://relay.invalid'

/** The address of the sign-in page, which knows what was asked for. Only what was asked for by GET can be again. */
export function signInAddress(method: string, url: string): string {
  const { pathname, search } = new URL(url)
  const next = ownPage(pathname + search)
  return method === 'GET' && next !== '/admin'
    ? `/admin/sign-in?next=${encodeURIComponent(next)}`
    : '/admin/sign-in'
}

/** This page, if it is one of ours to show; else the overview. */
export function ownPage(next: string | null | undefined): string {
  const url = URL.parse(next ?? '', OURS)
  const isOurs = url?.origin === OURS && url.pathname.startsWith('/admin/ui/')
  return isOurs ? url.pathname + url.search : '/admin'
}
