/** `npm run verify` where something else stands in the relay's place, or before it; and its command line. */
import type { RequestListener } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { askRelay, explainReply } from '../../src/cli/lib/relay-reply.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { capturePrinted, closeServers, KEY, NOBODY, serverThat } from './relay-test.ts'

const printed = capturePrinted()
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
    await verifyWhere({ available: true, why: null, hours, failures: [] })
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
    await verifyWhere({ available: true, why: 'AEP refused them.', hours: [], failures })
    expect(printed.text()).toMatch(/✘ landed .*AEP refused them\./)
  })

  it('does not call well what the relay cannot say, but for an older one', async () => {
    await verifyWhere({ code: 'unavailable' }, 503)
    expect(printed.text()).toMatch(/✘ landed the relay answered 503 .*Not everything is well/)
    printed.forget()
    await verifyWhere({ code: 'not-found' }, 404)
    expect(printed.text()).toContain('All is well')
  })

  /** A relay that forwards, and answers so to what AEP has kept. */
  async function verifyWhere(compared: object, status = 200): Promise<void> {
    const url = await serverThat((request, response) => {
      const answer = {
        '/health': { status: 'ok' },
        '/admin/status': { accepted: 0, pending: 0, dead: 0, quarantined: 0, hold: null },
        '/admin/compared': compared,
      }[String(request.url)]
      const isRefused = !answer && !request.url?.includes('key=')
      request.resume().on('end', () => {
        const code = isRefused ? 401 : answer === compared ? status : 200
        response.writeHead(code, { 'content-type': 'application/json' })
        const refused = { code: 'unauthorized' }
        response.end(
          JSON.stringify(answer ?? (isRefused ? refused : { status: 'forwarded', id: 'a' })),
        )
      })
    })
    await verify(['--url', url, '--key', KEY, '--admin-token', 'a-token-of-this-test-00'])
  }

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
