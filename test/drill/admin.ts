/** Admin: reads the outbox through the operators' routes, as an operator would. Throws on any answer but a 2xx. */

export type Counts = {
  readonly accepted: number
  readonly delivered: number
  readonly pending: number
  readonly dead: number
  readonly quarantined: number
  readonly erased: number
}
export type Status = Counts
export type State = 'pending' | 'dead' | 'quarantined'

type Asked = {
  readonly method?: string
  readonly body?: string | null
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
/** Tens of megabytes. */
const EXPORT_MS = 120_000

export class Admin {
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  status(): Promise<Status> {
    return this.#get<Status>('/admin/status')
  }

  /** Ids of all events in that state, over all pages. */
  async ids(state: State): Promise<string[]> {
    const ids: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { events: { id: string }[]; cursor: string | null } = await this.#get(
        `/admin/events?state=${state}&limit=200&cursor=${cursor}`,
      )
      ids.push(...page.events.map(({ id }) => id))
      cursor = page.cursor
    }
    return ids
  }

  /** Ids of all events in that state, as an export has them, each in a line of its own with its payload. */
  async exported(state: State): Promise<string[]> {
    const response = await this.#fetch(`/admin/export?state=${state}`, { timeoutMs: EXPORT_MS })
    const lines = (await response.text()).split('\n').filter((line) => line !== '')
    return lines.map((line) => {
      const { id, payload } = JSON.parse(line) as { id: string; payload?: unknown }
      if (payload === undefined) throw new Error(`${id} was exported without its payload.`)
      return id
    })
  }

  /** The event as text without its payload, for the diagnosis of a lost one. */
  async describe(id: string): Promise<string> {
    const response = await this.#fetch(`/admin/events/${id}`)
    if (response.status === 404) return 'not in the outbox'
    const { payload: _, ...event } = (await response.json()) as { payload?: unknown }
    return JSON.stringify(event)
  }

  /** Takes the event out of the outbox, whatever its state. Resolves to whether it was there. */
  async erase(id: string): Promise<boolean> {
    const response = await this.#fetch(`/admin/events/${id}`, { method: 'DELETE' })
    if (response.status === 404) return false
    if (!response.ok) throw new Error(`The event was not erased: ${response.status}.`)
    return true
  }

  /** Whether it went to AEP, stored or not, as `find` has it. */
  async isDelivered(id: string): Promise<boolean> {
    const { events } = await this.operate<{ events: { id: string; state: string }[] }>('/find', {
      id,
    })
    return events.some((event) => event.id === id && event.state === 'delivered')
  }

  /** Webhooks by their outcomes, of so long. `from`: epoch milliseconds. */
  async activity(from: number): Promise<Map<string, number>> {
    const { points } = await this.#get<{ points: { outcome: string; count: number }[] }>(
      `/admin/activity?step=minute&from=${new Date(from).toISOString()}`,
    )
    const counts = new Map<string, number>()
    for (const { outcome, count } of points) counts.set(outcome, (counts.get(outcome) ?? 0) + count)
    return counts
  }

  /** A command that takes JSON. */
  async operate<Body>(path: string, body: unknown): Promise<Body> {
    const response = await this.#fetch(`/admin${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path} answered ${response.status}.`)
    return response.json() as Promise<Body>
  }

  async #get<Body>(path: string): Promise<Body> {
    const response = await this.#fetch(path)
    if (!response.ok) throw new Error(`${path} answered ${response.status}.`)
    return response.json() as Promise<Body>
  }

  #fetch(
    path: string,
    { method = 'GET', body = null, timeoutMs = TIMEOUT_MS }: Asked = {},
  ): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      method,
      body,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body !== null && { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    })
  }
}
