/** A browser of the operators' page, as far as it matters here: it keeps the cookie, sends forms, follows redirects. */
import { readSessionCookie } from '../../src/worker/http/auth.ts'
import { startRelay, TOKEN } from './support.ts'

type Shown = { status: number; html: string; headers: Headers; path: string }

const COOKIE = '__Host-admin'

/** `variables` override the environment. The binding that limits signing in is tested on its own. */
export function startBrowser(variables: Record<string, unknown> = {}) {
  const { send } = startRelay({ SIGN_IN_LIMIT: undefined, ...variables })
  let cookie = ''

  async function request(path: string, init: RequestInit = {}): Promise<Shown> {
    const { response } = await send(path, {
      redirect: 'manual',
      ...init,
      headers: {
        accept: 'text/html',
        ...(cookie !== '' && { cookie: `${COOKIE}=${cookie}` }),
        ...init.headers,
      },
    })
    const given = response.headers.get('set-cookie')
    if (given !== null) cookie = readSessionCookie(given)
    const html = new TextDecoder().decode(await response.bytes())
    return { status: response.status, html, headers: response.headers, path }
  }

  const browser = {
    get cookie() {
      return cookie
    },
    set cookie(value: string) {
      cookie = value
    },
    request,
    visit: (path: string) => request(path),
    /** Sends a form, and answers as the relay did. */
    post: (
      path: string,
      fields: Record<string, string> | URLSearchParams,
      headers: Record<string, string> = {},
    ) =>
      request(path, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { 'sec-fetch-site': 'same-origin', ...headers },
      }),
    /** Sends a form, and shows what the redirect leads to. */
    async submit(path: string, fields: Record<string, string> = {}): Promise<Shown> {
      const answer = await browser.post(path, fields)
      return answer.status === 303 ? request(answer.headers.get('location') ?? '') : answer
    },
    signIn: (token = TOKEN) => browser.submit('/admin/sign-in', { token }),
  }
  return browser
}

/** What the forms of a page send that nobody types. */
export function hiddenIn(html: string): URLSearchParams {
  const inputs = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)
  return new URLSearchParams([...inputs].map(([, name = '', value = '']) => [name, textOf(value)]))
}

/** What stands there to be copied. */
export function codeIn(html: string, id: string): string {
  return textOf(html.match(new RegExp(`<code id="${id}">(.*?)</code>`, 's'))?.[1] ?? '')
}

/** Text as a reader sees it: without tags, white space collapsed. */
export function textOf(html: string): string {
  return html
    .replace(/<head>.*<\/head>/s, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')
    .trim()
}

/** The addresses that a page links to or sends forms to. */
export function addressesOf(html: string): string[] {
  return [...html.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, address = '']) =>
    address.replaceAll('&amp;', '&'),
  )
}
