/**
 * The operators' routes of a relay that the commands beside Adobe use, on a port of 127.0.0.1, with a record of what was asked.
 * What it answers is what a relay may answer: anything else ends the request, and so the test.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as v from 'valibot'
import { COMMANDS } from '../../src/worker/admin/api.ts'
import { ADMIN_TOKEN } from './relay-test.ts'

type Body = Record<string, unknown>
export type Suppression = { id: string; since: string; until: string }

export class RelayStandIn {
  readonly url: string
  /** Who is suppressed: an identity's value, and the row that operators see. */
  readonly suppressed = new Map<string, Suppression>()
  /** Events held, by an identity's value. */
  readonly held = new Map<string, number>()
  readonly requests: { readonly path: string; readonly body: Body }[] = []
  /** Answers by path, in the place of those below. */
  readonly answers = new Map<string, (body: Body, query: URLSearchParams) => unknown>()
  now: () => number = Date.now
  /** Whether it lists suppressions, as the first release did not. */
  listsSuppressions = true
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', async (request, response) => {
      const { status, body } = await this.#answer(request)
      const path = `${request.method} ${new URL(request.url ?? '/', this.url).pathname}`
      const isOlder = !this.listsSuppressions && path === 'GET /admin/suppressions'
      const misfit = status === 200 && !isOlder ? misfitOf(path, body) : null
      if (misfit !== null) {
        response.destroy(new Error(misfit))
        return
      }
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  }

  static async start(): Promise<RelayStandIn> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new RelayStandIn(server)
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const body = (text === '' ? {} : JSON.parse(text)) as Body
    const url = new URL(request.url ?? '/', this.url)
    const path = `${request.method} ${url.pathname}`
    this.requests.push({ path, body })
    if (request.headers.authorization !== `Bearer ${ADMIN_TOKEN}`) {
      return { status: 401, body: { code: 'unauthorized' } }
    }
    const own = this.answers.get(path)
    if (own) return { status: 200, body: own(body, url.searchParams) }
    switch (path) {
      case 'POST /admin/erase':
        return { status: 200, body: this.#erase(body) }
      case 'GET /admin/suppressions': {
        const rows = [...this.suppressed.values()]
        return {
          status: 200,
          body: { count: rows.length, ...(this.listsSuppressions && { rows }) },
        }
      }
      case 'POST /admin/suppressions': {
        const row = [...this.suppressed.values()].find(({ id }) => id === body.id)
        if (!row) return { status: 404, body: { code: 'not-found' } }
        row.until = String(body.until)
        return { status: 200, body: row }
      }
      default:
        return { status: 404, body: { code: 'not-found' } }
    }
  }

  #erase({ email, visitor, suppressDays, dryRun }: Body): Body {
    const value = String(email ?? visitor)
    const matched = this.held.get(value) ?? 0
    const days = Number(suppressDays)
    if (dryRun !== true) {
      this.held.delete(value)
      const known = this.suppressed.get(value)
      // To the millisecond, and no two of one: as a relay's clock gives them.
      const until = new Date(this.now() + days * 86_400_000 + this.suppressed.size).toISOString()
      const id = known?.id ?? `s-${this.suppressed.size + 1}`
      if (days > 0)
        this.suppressed.set(value, { id, since: new Date(this.now()).toISOString(), until })
    }
    const suppressedUntil = this.suppressed.get(value)?.until ?? null
    const erased = dryRun === true ? 0 : matched
    return { matched, erased, receipts: 0, mentioned: 0, suppressedUntil }
  }
}

/** Why no relay answers so; `null`: one does. */
function misfitOf(path: string, body: unknown): string | null {
  const command = Object.values(COMMANDS).find(
    ({ route }) => path.replace(/\/[0-9a-f]{64}$/, '/{id}') === route.replace(' ', ' /admin'),
  )
  const answers = command?.answers
  if (typeof answers !== 'function') return `${path} has no such answer`
  const { issues = [] } = v.safeParse(answers() as v.GenericSchema, body)
  return issues.length === 0 ? null : `${path}: ${issues.map(({ message }) => message).join('; ')}`
}
