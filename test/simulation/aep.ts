/**
 * Adobe as the relay sees it: the streaming endpoint in both formats, IMS, and what faults make of their answers. It
 * remembers everything, since it is the observer who sees everything.
 */
import { Random } from '../drill/random.ts'
import { type LandedDeps, LandedSide } from './landed.ts'
import type { Machine } from './machine.ts'
import type { AepAnswer, AepFault } from './plan.ts'
import type { Queue } from './queue.ts'

/** One request for one record. */
export type Asked = {
  id: string
  /** Of the event, without the number of a part. */
  event: string
  at: number
  /** The format of the address, and whether the record has it. */
  format: string
  fits: boolean
  /** The machine that asked: an isolate, or one that the object sends through. */
  by: string
  answer: AepAnswer | 'accepted'
  /** When its answer left; `null`: never. */
  answeredAt: number | null
  flow: string
}

/** One request, whatever is in it. */
type Requested = { at: number; by: string; failed: boolean }

export type Landed = { id: string; at: number; copies: number; text: string; format: string }

type AepDeps = {
  queue: Queue
  seed: number
  /** How long an access token is good. */
  tokenSeconds: number
  faults: readonly AepFault[]
  /** Events that AEP never takes, and what it says instead; by their ids. */
  poisonOf: (event: string) => AepAnswer | null
  kindOf: (event: string) => string
  asked: (asked: Asked) => void
  /** A request with these records was judged, and refused as a whole or not. */
  batch: (ids: readonly string[], isRefused: boolean) => void
  /** Two records of one id say different things: Profile drops the second. */
  twoContents: (id: string) => void
  landed: Pick<LandedDeps, 'faults' | 'failed'>
}

/** A record of a request, and what is said of it. */
type Judged = {
  said: AepAnswer | 'accepted'
  asked: Asked
  text: string
  format: string
  id: string
  takeBack: () => void
}

export class SimulatedAep {
  readonly asked: Asked[] = []
  readonly requests: Requested[] = []
  readonly lake = new Map<string, Landed>()
  readonly imsRequests: number[] = []
  /** What becomes of it afterwards. */
  readonly later: LandedSide
  readonly #deps: AepDeps
  /** Until when each token is good. */
  readonly #tokens = new Map<string, number>()
  #serial = 0

  constructor(deps: AepDeps) {
    this.#deps = deps
    this.later = new LandedSide({ ...deps.landed, queue: deps.queue, seed: deps.seed })
  }

  async fetch(url: string, init: RequestInit, machine: Machine): Promise<Response> {
    const parsed = new URL(url)
    const { pathname } = parsed
    if (pathname.startsWith('/data/')) {
      return this.later.fetch(parsed, (ms) => this.#wait(ms, init))
    }
    return pathname.startsWith('/ims/')
      ? this.#ims(init)
      : this.#collection(url, pathname.includes('/batch/'), init, machine)
  }

  /** Whether a fault lasts at a moment that concerns everything. */
  isFailing(at: number): boolean {
    return this.#deps.faults.some(
      ({ from, to, share, kinds }) => from <= at && at < to && share === 1 && kinds === null,
    )
  }

  async #collection(
    url: string,
    isBatch: boolean,
    init: RequestInit,
    machine: Machine,
  ): Promise<Response> {
    const { queue } = this.#deps
    this.#serial += 1
    const random = new Random(this.#deps.seed, `request ${this.#serial}`)
    await this.#wait(random.int(5, 60), init)
    const body = String(init.body)
    const parsed = JSON.parse(body)
    const headers = new Headers(init.headers)
    const flow = headers.get('x-adobe-flow-id') ?? ''
    const messages: unknown[] = isBatch ? parsed.messages : [parsed]
    const [, format = ''] = /([a-z]+-[a-z]+)$/.exec(new URL(url).pathname) ?? []
    const token = headers.get('authorization')?.slice('Bearer '.length)
    const isBarred = token !== undefined && (this.#tokens.get(token) ?? 0) < queue.now
    const verdicts = messages.map((message) =>
      this.#judge(message, flow, format, machine, random, isBarred),
    )
    const [first] = verdicts
    const request = { at: queue.now, by: machine.name, failed: false }
    this.requests.push(request)
    if (!first) return answer(400, { title: 'no messages' })
    // What ends the connection, or the whole request, ends it for all of its messages.
    const whole =
      verdicts.find(({ said }) => said !== 'accepted' && !PER_MESSAGE.has(said)) ?? first
    const { said } = whole
    // Its size is always an event's own fault, so a 413 slows nobody down.
    request.failed = verdicts.every(({ said }) => said !== 'accepted' && said !== '413')
    const lands = verdicts.filter((each) => each.said === 'accepted' || LANDS.has(said))
    if (said === 'accepted' || PER_MESSAGE.has(said) || LANDS.has(said)) {
      for (const each of lands) this.#land(each)
    }
    const ids = verdicts.map(({ id }) => id)
    const refusesWhole =
      isBatch && verdicts.some((each) => each.said === '400') && random.chance(0.5)
    this.#deps.batch(ids, refusesWhole && PER_MESSAGE.has(said))
    const slowMs = said === 'slow' ? random.int(2_000, 14_000) : random.int(5, 120)
    if (said === 'silent' || said === 'lost-answer') await never(init)
    await this.#wait(slowMs, init)
    for (const each of verdicts) each.asked.answeredAt = queue.now
    if (said === 'reset') throw new TypeError('Network connection lost.')
    if (said === 'html') {
      return new Response('<h1>Back soon</h1>', { headers: { 'content-length': '18' } })
    }
    if (said === 'half') return halfAnswered()
    if (said === 'empty')
      return new Response('', { status: 200, headers: { 'content-length': '0' } })
    if (said === 'wrong-number' && isBatch) return answer(207, { responses: [{ status: 200 }] })
    // An acceptance that came late is one, whoever still waited for it.
    const accept = () => {
      for (const { said, asked } of verdicts) if (said === 'slow') asked.answer = 'accepted'
    }
    if (!isBatch) {
      accept()
      return single(said === 'accepted' || said === 'slow' ? first : whole, random)
    }
    if (
      !PER_MESSAGE.has(said) &&
      said !== 'accepted' &&
      said !== 'slow' &&
      said !== 'wrong-number'
    ) {
      return single(whole, random)
    }
    if (refusesWhole && said !== 'accepted') {
      for (const each of verdicts) if (each.said === 'accepted') this.#takeBack(each)
      return answer(400, { title: 'a message is wrong' })
    }
    accept()
    const responses = verdicts.map((each) =>
      each.said === 'accepted' || each.said === 'slow'
        ? { xactionId: '1' }
        : { status: Number(each.said.slice(0, 3)), message: 'no' },
    )
    return answer(207, { responses })
  }

  #judge(
    message: unknown,
    flow: string,
    format: string,
    machine: Machine,
    random: Random,
    isBarred: boolean,
  ): Judged {
    const record = recordOf(message, format)
    const text = JSON.stringify(record)
    const id = String(record._id)
    const { queue, poisonOf, kindOf } = this.#deps
    const now = queue.now
    const event = id.slice(0, 64)
    const said: AepAnswer | 'accepted' =
      (isBarred ? '401' : null) ??
      wrongSetting(flow) ??
      this.#deps.faults.find(
        ({ from, to, share, kinds, ims }) =>
          !ims &&
          from <= now &&
          now < to &&
          (kinds === null || kinds.includes(kindOf(event))) &&
          (share === 1 || random.chance(share)),
      )?.answer ??
      poisonOf(event) ??
      'accepted'
    const asked: Asked = {
      id,
      event,
      at: now,
      by: machine.name,
      answer: said,
      answeredAt: null,
      flow,
      format,
      fits: fits(record, format),
    }
    this.asked.push(asked)
    this.#deps.asked(asked)
    return { said, asked, text, format, id, takeBack: () => undefined }
  }

  #land(each: Judged): void {
    const { id, text, format, asked } = each
    each.takeBack = this.later.accept({
      id,
      text,
      flow: asked.flow,
      isXdm: format.startsWith('xdm'),
    })
    const known = this.lake.get(id)
    if (known && isPart(id) && contentOf(known.text) !== contentOf(text)) this.#deps.twoContents(id)
    if (known) known.copies += 1
    else this.lake.set(id, { id, at: this.#deps.queue.now, copies: 1, text, format })
  }

  #takeBack({ id, asked, takeBack }: Judged): void {
    asked.answer = '400'
    takeBack()
    const known = this.lake.get(id)
    if (!known) return
    known.copies -= 1
    if (known.copies === 0) this.lake.delete(id)
  }

  async #ims(init: RequestInit): Promise<Response> {
    const { queue, faults } = this.#deps
    this.#serial += 1
    const random = new Random(this.#deps.seed, `request ${this.#serial}`)
    this.imsRequests.push(queue.now)
    await this.#wait(random.int(20, 200), init)
    const fault = faults.find(
      ({ from, to, ims, share }) =>
        ims === true && from <= queue.now && queue.now < to && random.chance(share),
    )
    switch (fault?.answer) {
      case undefined:
        break
      case 'silent':
        return never(init)
      case 'reset':
        throw new TypeError('Network connection lost.')
      case 'empty':
        return answer(200, {})
      case 'slow':
        await this.#wait(random.int(1_000, 12_000), init)
        break
      default: {
        const status = Number(fault?.answer.slice(0, 3))
        if (status >= 400) return answer(status, { error: 'no' })
      }
    }
    const { tokenSeconds } = this.#deps
    const token = `token-${this.#serial}`
    // Some are taken back before their time.
    const isTakenBack = tokenSeconds < 3_600 && random.chance(0.2)
    this.#tokens.set(token, queue.now + tokenSeconds * (isTakenBack ? 300 : 1_000))
    return answer(200, { access_token: token, expires_in: tokenSeconds })
  }

  #wait(ms: number, init: RequestInit): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#deps.queue.after(ms, resolve)
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
  }
}

/** These are said of one message of a batch, others of the whole request. */
const PER_MESSAGE = new Set<string>(['400', '413', '500', '503', '429', '403'])
/** AEP has it, whatever is heard of that. */
const LANDS = new Set<string>(['slow', 'lost-answer', 'wrong-number', 'half'])

function wrongSetting(flow: string): AepAnswer | null {
  const [, said] = /^wrong-(.*)$/.exec(flow) ?? []
  return (said as AepAnswer | undefined) ?? null
}

const isPart = (id: string) => id.length > 64

/** What a record says, but for how late it is sent, and for times that an outbox corrects whose clock is behind. */
const contentOf = (text: string) =>
  text.replace(/"delaySeconds":\d+|"(?:timestamp|receivedAt)":"[^"]*"/g, '')

const ODD_WAITS = [
  '',
  '-5',
  '0',
  '1e9',
  'soon',
  '5, 7',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  '2027-01-04',
] as const

function halfAnswered(): Response {
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode('{"inletId":"in'))
      controller.error(new TypeError('Network connection lost.'))
    },
  })
  return new Response(body, { status: 200 })
}

type JsonObject = Record<string, unknown>

function recordOf(message: unknown, format: string): JsonObject {
  if (format.startsWith('raw')) return message as JsonObject
  const { body } = message as { body?: { xdmEntity?: JsonObject } }
  return body?.xdmEntity ?? (message as JsonObject)
}

/** A raw record has no tenant, an xdm record that of its inlet. */
function fits(record: JsonObject, format: string): boolean {
  const tenants = Object.keys(record).filter((name) => name.startsWith('_') && name !== '_id')
  const [shape, tenant] = format.split('-')
  return shape === 'raw' ? tenants.length === 0 : tenants.join() === `_${tenant}`
}

function single({ said }: { said: string }, random: Random): Response {
  if (said === 'accepted' || said === 'slow' || said === 'wrong-number') {
    return answer(200, { inletId: 'inlet', xactionId: '1', receivedTimeMs: 1 })
  }
  const status = Number(said.slice(0, 3))
  const wait: Record<string, string> =
    said === '429-wait' || said === '503-wait'
      ? { 'retry-after': String(random.int(5, 1_200)) }
      : said === '429-odd'
        ? { 'retry-after': random.pick([...ODD_WAITS]) }
        : {}
  return answer(status, { title: 'no', status }, wait)
}

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const text = JSON.stringify(body)
  return new Response(text, {
    status,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': String(text.length),
    },
  })
}

function never(init: RequestInit): Promise<never> {
  return new Promise((_, reject) => {
    init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
  })
}
