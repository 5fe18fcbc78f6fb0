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

const TIMEOUT_MS = 10_000

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

  /** The event as text without its payload, for the diagnosis of a lost one. */
  async describe(id: string): Promise<string> {
    const response = await this.#fetch(`/admin/events/${id}`)
    if (response.status === 404) return 'not in the outbox'
    const { payload: _, ...event } = (await response.json()) as { payload?: unknown }
    return JSON.stringify(event)
  }

  /** Takes the event out of the outbox, whatever its state. Resolves to whether it was there. */
  async erase(id: string): Promise<boolean> {
    const response = await this.#fetch(`/admin/events/${id}`, 'DELETE')
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
    const response = await this.#fetch(`/admin${path}`, 'POST', JSON.stringify(body))
    if (!response.ok) throw new Error(`${path} answered ${response.status}.`)
    return response.json() as Promise<Body>
  }

  async #get<Body>(path: string): Promise<Body> {
    const response = await this.#fetch(path)
    if (!response.ok) throw new Error(`${path} answered ${response.status}.`)
    return response.json() as Promise<Body>
  }

  #fetch(path: string, method = 'GET', body: string | null = null): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      method,
      body,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body !== null && { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  }
}
