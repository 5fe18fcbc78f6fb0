/** `npm run verify` where something else stands in the relay's place, or before it; and its command line. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { askRelay, explainReply } from '../../src/cli/lib/relay-reply.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { forRelay } from '../../src/worker/alerts/words.ts'
import { ROUTE_KINDS } from '../../src/worker/chatlio/kind.ts'
import { capturePrinted, closeServers, KEY, NOBODY, serverThat } from './relay-test.ts'

const printed = capturePrinted()
const TOKEN = 'a-token-of-this-test-00'
const EMPTY = { accepted: 0, pending: 0, dead: 0, quarantined: 0, hold: null }

type Answers = {
  readonly webhook?: object
  /** Of a stored one; `null`: there is none any more. */
  readonly event?: (id: string) => object | null
  readonly '/admin/status'?: object
  readonly '/admin/compared'?: object
  /** Of that answer. */
  readonly status?: number
}

/** A relay as `verify` sees it: well, and AEP takes each webhook, unless said otherwise. */
function relayThat({ webhook, event, status: of = 200, ...answers }: Answers): Promise<string> {
  const routes: Record<string, object> = {
    '/health': { status: 'ok' },
    '/admin/status': EMPTY,
    ...answers,
  }
  let ids = 0
  const answerTo = (url: string): [number, object] => {
    const known = routes[url]
    if (known) return [url === '/admin/compared' ? of : 200, known]
    if (url.includes('key=')) {
      ids += 1
      return [200, { status: 'forwarded', ...webhook, id: `id-${ids}` }]
    }
    const [, id] = /^\/admin\/events\/(.+)/.exec(url) ?? []
    if (id === undefined) return [401, { code: 'unauthorized' }]
    const stored = event?.(id) ?? null
    return stored === null ? [404, { code: 'not-found' }] : [200, { id, ...stored }]
  }
  return serverThat((request, response) => {
    request.resume().on('end', () => {
      const [status, body] = answerTo(String(request.url))
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  })
}

afterEach(closeServers)

describe('verify', () => {
  it.each<[string, RequestListener]>([
    [
      'redirects to its login',
      (_, response) =>
        response
          .writeHead(302, { location: 'https://team.cloudflareaccess.com/cdn-cgi/access/login/x' })
          .end(),
    ],
    [
      'shows its login page',
      (_, response) =>
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<form action="https://team.cloudflareaccess.com/cdn-cgi/access/login">'),
    ],
    [
      'refuses without a page',
      (_, response) =>
        response.writeHead(401, { 'www-authenticate': 'Cloudflare-Access' }).end('{}'),
    ],
    [
      'stands before /chatlio alone',
      ({ url }, response) =>
        url === '/health'
          ? response.end('{"status":"ok"}')
          : response.writeHead(302, { location: 'https://team.cloudflareaccess.com/' }).end(),
    ],
  ])('names a Cloudflare Access that %s, and sends it no key', async (_, answers) => {
    const urls: string[] = []
    const url = await serverThat((request, response) => {
      urls.push(String(request.url))
      answers(request, response)
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed.text()).toContain('Cloudflare Access answers before the relay')
    expect(urls.join()).not.toContain(KEY)
  })

  it('is content with a Cloudflare Access before /admin alone, and says what it cannot read', async () => {
    const url = await serverThat((request, response) => {
      const path = String(request.url)
      if (path.startsWith('/admin')) {
        response.writeHead(302, { location: 'https://team.cloudflareaccess.com/' }).end()
        return
      }
      const isRefused = path.startsWith('/chatlio') && !path.includes('key=')
      const body = isRefused
        ? { code: 'unauthorized' }
        : { status: path === '/health' ? 'ok' : 'forwarded', id: 'a' }
      request.resume().on('end', () => {
        response.writeHead(isRefused ? 401 : 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(body))
      })
    })
    const token = ['--admin-token', 'a-token-of-this-test-00']
    expect(await verify(['--url', url, '--key', KEY, ...token]), printed.text()).toBe(0)
    expect(printed.text()).toContain('– admin token not checked: Cloudflare Access stands before')
    printed.forget()
    expect(await erase(['--url', url, '--email', 'a@example.com', ...token])).toBe(1)
    expect(printed.text()).toContain('Cloudflare Access stands before /admin, as it may')
    expect(printed.text()).not.toContain('Chatlio is sent to a login page')
  })

  it.each([
    ['EAI_AGAIN', 'The network does not lead there (EAI_AGAIN)'],
    ['ENETUNREACH', 'The network does not lead there (ENETUNREACH)'],
    ['ENOTFOUND', 'No such host (ENOTFOUND)'],
    ['ECONNREFUSED', 'nothing listens at this address'],
  ])('tells a network that is gone from a relay that is not there: %s', async (code, says) => {
    const cause = Object.assign(new Error(), { code })
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('fetch failed', { cause }))
    const reply = await askRelay('https://relay.example.com/health', { method: 'GET' })
    expect(reply.by === 'relay' ? '' : explainReply(reply)).toContain(says)
  })

  it('names a redirect', async () => {
    const url = await serverThat((_, response) => {
      response.writeHead(301, { location: 'https://relay.example.com/health' }).end()
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed.text()).toContain('Redirects to https://relay.example.com/health (301)')
  })

  it('names an address at which something else answers, or nothing', async () => {
    const url = await serverThat((_, response) => {
      response
        .writeHead(404, { 'content-type': 'text/html' })
        .end('<h1>There is nothing here yet</h1>')
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed.text()).toContain('it is not deployed at this address')
    printed.forget()
    expect(await verify(['--url', NOBODY, '--key', KEY])).toBe(1)
    expect(printed.text()).toContain('No connection (ECONNREFUSED)')
  })

  it.each([429, 500, 530])(
    'does not call an address wrong where Cloudflare answers %i',
    async (status) => {
      const url = await serverThat((_, response) => {
        response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Error 1027</h1>')
      })
      expect(await verify(['--url', url, '--key', KEY])).toBe(1)
      expect(printed.text()).toContain(`Answered ${status}, and not by the relay`)
      expect(printed.text()).not.toContain('not deployed at this address')
    },
  )

  it('names an address at which the connection breaks', async () => {
    const url = await serverThat(({ socket }) => socket.destroy())
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed.text().replaceAll(/\s+/g, ' ')).toContain(
      'The connection broke before there was an answer (UND_ERR_SOCKET). Run it again.',
    )
  })

  it.each([
    [
      'are not settled yet',
      [{ settled: false, ours: 10, received: 0 }],
      /– landed .*is settled yet/,
    ],
    ['are settled and had no event', [{ settled: true, ours: 0 }], /– landed .*is settled yet/],
    [
      'are settled',
      [{ settled: true, ours: 10, received: 10 }],
      /✔ landed .*in every hour of the last day that is settled \(1\)/,
    ],
  ])('says of hours that %s what AEP has kept', async (_, hours, says) => {
    const url = await relayThat({
      '/admin/compared': { available: true, why: null, hours, failures: [] },
    })
    await verify(['--url', url, '--key', KEY, '--admin-token', TOKEN])
    expect(printed.text()).toMatch(says)
  })

  it('says that AEP refuses what it accepts, however much that is', async () => {
    const failure = {
      id: 'a'.repeat(64),
      code: 'DCVS-1105-400',
      pointer: '/timestamp',
      batch: '01HN0000000000000000000000',
      at: '2026-11-24T10:00:00.000Z',
    }
    const failures = Array.from({ length: 1_000 }, () => failure)
    const url = await relayThat({
      '/admin/compared': { available: true, why: 'AEP refused them.', hours: [], failures },
    })
    await verify(['--url', url, '--key', KEY, '--admin-token', TOKEN])
    expect(printed.text()).toMatch(/✘ landed .*AEP refused them\./)
  })

  it('does not call well what the relay cannot say, but for an older one', async () => {
    const unable = await relayThat({ '/admin/compared': { code: 'unavailable' }, status: 503 })
    await verify(['--url', unable, '--key', KEY, '--admin-token', TOKEN])
    expect(printed.text()).toMatch(/✘ landed the relay answered 503 .*Not everything is well/)
    printed.forget()
    const older = await relayThat({ '/admin/compared': { code: 'not-found' }, status: 404 })
    await verify(['--url', older, '--key', KEY, '--admin-token', TOKEN])
    expect(printed.text()).toContain('All is well')
  })

  it('prints the commands that a relay names with the files and the environment of this one', async () => {
    const why = forRelay('`npm run recover -- --dry-run` names it. `npm run recover` sends it.', {
      environment: 'staging',
      publicUrl: null,
    })
    const url = await relayThat({ '/admin/compared': { available: true, why, hours: [] } })
    const config = path.join(mkdtempSync(path.join(tmpdir(), 'verify-')), 'relay.toml')
    const file = config.replace('relay.toml', 'relay.env')
    writeFileSync(file, `WEBHOOK_KEYS=${KEY}\nADMIN_TOKEN=${TOKEN}\n`)
    const which = `--env test --config ${config} --env-file ${file}`
    expect(await verify(['--url', url, ...which.split(' ')])).toBe(1)
    expect(printed.text()).toContain(
      `\`npm run recover -- ${which} --url ${url} --dry-run\` names it. \`npm run recover -- ${which} --url ${url}\` sends it.`,
    )
  })

  it('waits for all that is stored at once: the first arrives when all of them have come', async () => {
    const asked = new Set<string>()
    const url = await relayThat({
      webhook: { status: 'buffered' },
      event: (id) => {
        asked.add(id)
        return asked.size === ROUTE_KINDS.length ? null : { state: 'pending', lastError: null }
      },
    })
    await verify(['--url', url, '--key', KEY, '--admin-token', TOKEN, '--wait', '90'])
    expect(printed.text().match(/stored, then relayed to AEP/g)).toHaveLength(ROUTE_KINDS.length)
  })

  it('waits for nothing that is stored while relaying is paused', async () => {
    const url = await relayThat({
      webhook: { status: 'buffered' },
      event: () => ({ state: 'pending', lastError: null }),
      '/admin/status': { ...EMPTY, hold: { reason: 'paused' } },
    })
    expect(await verify(['--url', url, '--key', KEY, '--admin-token', TOKEN, '--wait', '90'])).toBe(
      1,
    )
    expect(printed.text()).toContain('Relaying is paused')
  })

  it.each([
    [['--key', KEY], '--url'],
    [['--url', 'https://relay.example.com'], 'WEBHOOK_KEYS'],
    [['--url', 'http://relay.example.com', '--key', KEY], 'https'],
    [['--url', 'relay.example.com', '--key', KEY], '--url'],
    [['--nonsense'], '--nonsense'],
  ])('ends with 2 for %j', async (args, named) => {
    expect(await verify(args)).toBe(2)
    expect(printed.text()).toContain(named)
  })
})
