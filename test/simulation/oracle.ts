/**
 * The observer who sees everything: at every step and at the end it says which promise of `design.md` was broken. It looks at
 * Adobe, at the rows of the outbox and at the answers, and believes nothing of what the relay says of itself.
 */
import { askedInVain } from '../rate.ts'
import type { Asked, Landed } from './aep.ts'
import type { Fault, Webhook } from './plan.ts'
import type { Answered, Breach, World } from './world.ts'

type Known = {
  webhook: Webhook
  postedAt: number
  /** First 2xx, or a 4xx that says that it is stored. */
  takenAt: number | null
  landedAt: number | null
  /** AEP refused it for good, so often. */
  refusals: number[]
  /** An operator ended it, or its person is suppressed. */
  ended: boolean
  endedAt: number | null
  asked: number
  dead: boolean
  /** First seen dead. */
  deadAt: number | null
  deadIn: number
}
type Erasure = {
  person: number
  days: number
  askedAt: number
  /** When it was answered well. */
  at: number | null
  until: number
}

const SECOND = 1_000
const MINUTE = 60_000
/** How many steps there are between two looks at everything. */
const LOOK_EVERY = 400
/** Most requests in a minute to an AEP that fails: those of the outbox, and of each isolate. */
const MOST_PROBES = 40

/** Answers that an AEP gives which is down, or too slow. */
const DOWN = new Set<string>([
  ...['500', '503', '503-wait', '429', '429-wait', 'silent', 'slow', 'reset'],
  ...['lost-answer', 'empty', 'wrong-number'],
])

export class Oracle {
  readonly breaches: Breach[] = []
  readonly #world: World
  readonly #known = new Map<string, Known>()
  readonly #erasures: Erasure[] = []
  readonly #deleting = new Set<string>()
  readonly #deletions = new Map<string, number>()
  /** Parts and copies that have landed, by event. */
  readonly #landed = new Map<string, Map<string, Landed>>()
  readonly #waiting = new Set<string>()
  readonly #alerts = new Map<string, string>()
  #steps = 0
  #redrives = 0
  #paused = false
  /** Whether the last pause or resume was answered well. */
  #pauseIsKnown = true
  #lastAccepted = 0
  #lastChange = 0
  /** The most requests in a minute to an AEP that failed. */
  mostProbes = 0

  constructor(world: World) {
    this.#world = world
    for (const webhook of world.plan.webhooks) {
      this.#known.set(webhook.id, {
        webhook,
        postedAt: 0,
        takenAt: null,
        landedAt: null,
        refusals: [],
        ended: false,
        endedAt: null,
        asked: 0,
        dead: false,
        deadAt: null,
        deadIn: 0,
      })
    }
  }

  #breach(check: string, text: string): void {
    const { now } = this.#world
    this.#world.note(`BREACH ${check}: ${text}`)
    if (this.breaches.length < 20) this.breaches.push({ at: now, check, text })
  }

  /** Whether any fault of these kinds lasts, or did within `ms`. */
  #has(ms: number, ...kinds: Fault['what'][]): boolean {
    return this.#world.faults(ms).some(({ what }) => kinds.includes(what))
  }

  posted(webhook: Webhook): void {
    const known = this.#known.get(webhook.id)
    if (!known) return
    known.postedAt = this.#world.now
    const { machine } = { machine: webhook.serial }
    this.#world.queue.after(60_000, () => {
      if (known.takenAt !== null || this.#answeredSerials.has(machine)) return
      if (this.#has(61_000, 'isolate', 'deploy')) return
      this.#breach('answer', `webhook ${webhook.serial} has no answer after a minute`)
    })
  }
  readonly #answeredSerials = new Set<number>()

  answered({ webhook, status, outcome }: Answered): void {
    this.#answeredSerials.add(webhook.serial)
    const known = this.#known.get(webhook.id)
    if (!known) return
    const { now } = this.#world
    if (status === 503) {
      this.#unavailable(webhook)
      return
    }
    const expected = webhook.quality === 'invalid' ? [422] : [200, 202]
    if (!expected.includes(status)) {
      this.#breach(
        'answer',
        `webhook ${webhook.serial} (${webhook.quality}) got ${status} ${outcome}`,
      )
      return
    }
    known.takenAt ??= now
    if (outcome === 'suppressed') {
      const { person } = webhook
      if (!this.#erasures.some((each) => each.person === person && each.days > 0)) {
        this.#breach('suppressed', `webhook ${webhook.serial} is of nobody who was erased`)
      }
      known.ended = true
      this.#world.reach('a webhook of a suppressed person')
      return
    }
    if (!this.#isInCustody(webhook.id)) {
      this.#breach('custody', `webhook ${webhook.serial} got ${status} ${outcome} and is nowhere`)
    }
    if (outcome === 'forwarded' && known.landedAt === null) {
      this.#breach('custody', `webhook ${webhook.serial} is called forwarded and is not in AEP`)
    }
    if (known.landedAt === null) this.#waiting.add(webhook.id)
  }

  /** Neither relayed nor stored: only where that could not be done. */
  #unavailable({ serial }: Webhook): void {
    const isBroken = this.#world
      .faults(15 * SECOND)
      .some((each) => each.what === 'storage' && each.how !== 'slow')
    if (isBroken || this.#has(15 * SECOND, 'rpc', 'clock')) return
    const moments = this.#world
      .faults(12 * SECOND)
      .filter(({ what }) => what === 'object' || what === 'deploy')
    const isOnlyReset =
      moments.length <= 1 &&
      moments.every((each) => each.what === 'deploy' || ('how' in each && each.how === 'reset'))
    if (isOnlyReset)
      this.#breach('unavailable', `webhook ${serial} got 503, and could have been stored`)
  }

  #isInCustody(id: string): boolean {
    const known = this.#known.get(id)
    if (!known || known.landedAt !== null || this.#mayBeEnded(known)) return true
    const rows = this.#world.object.storage.look('SELECT 1 FROM events WHERE id = ?', id)
    return rows.length > 0
  }

  /** An operator has ended it, or has tried to since it was posted. */
  #mayBeEnded({ webhook, ended, postedAt }: Known): boolean {
    return (
      ended ||
      this.#deleting.has(webhook.id) ||
      this.#erasures.some(
        ({ person, at }) => person === webhook.person && (at === null || at >= postedAt),
      )
    )
  }

  /** AEP was asked for one record. */
  asked(asked: Asked): void {
    const known = this.#known.get(asked.event)
    const { now } = this.#world
    if (!known) {
      this.#breach('stranger', `AEP got ${asked.id}, which nobody sent`)
      return
    }
    known.asked += 1
    if (asked.answer === '400' || asked.answer === '413') known.refusals.push(now)
    if (asked.by.startsWith('sender')) this.#mayLeave(known, asked)
    else this.#mayForward(known, asked)
    if (!asked.fits) {
      this.#breach(
        'shape',
        `AEP got ${asked.id.slice(0, 8)}${asked.id.slice(64)} as something that is not ${asked.format}`,
      )
    }
    // The record lands after this; what has landed is looked at when its answer is on the way.
    this.#world.queue.after(0, () => this.#landing(known, asked.id))
  }

  twoContents(id: string): void {
    this.#breach('content', `AEP got ${id.slice(0, 8)}${id.slice(64)} twice, with other contents`)
  }

  #landing(known: Known, id: string): void {
    const landed = this.#world.aep.lake.get(id)
    if (!landed) return
    const parts = this.#landed.get(known.webhook.id) ?? new Map<string, Landed>()
    this.#landed.set(known.webhook.id, parts.set(id, landed))
    this.#lastAccepted = this.#world.now
    if (known.landedAt !== null) {
      if (landed.copies > 1) this.#world.reach('an event sent twice')
      return
    }
    if (!isWhole(parts)) {
      this.#world.reach('a part of a split event')
      return
    }
    known.landedAt = this.#world.now
    this.#waiting.delete(known.webhook.id)
    this.#inTime(known)
    if (known.webhook.quality === 'invalid') {
      this.#breach('stranger', `webhook ${known.webhook.serial} is invalid and is in AEP`)
    }
  }

  /** Where one kind alone is refused for good, the others are there within ten seconds. */
  #inTime({ webhook, postedAt }: Known): void {
    const { now, plan, wrongAt } = this.#world
    const isOther = (fault: Fault) =>
      fault.what !== 'aep' ||
      fault.ims ||
      fault.answer !== '400' ||
      fault.share < 1 ||
      (fault.kinds?.includes(webhook.kind) ?? true)
    const isPlain = plan.webhooks.every(({ quality }) => !quality.startsWith('poison'))
    if (!isPlain || this.#paused || now - wrongAt < 10 * MINUTE) return
    const lately = this.#world.faults(10 * MINUTE)
    if (lately.length === 0 || lately.some(isOther)) return
    this.#world.reach('an event beside a kind that is refused')
    if (now - postedAt > 15 * SECOND) {
      this.#breach(
        'stalled',
        `webhook ${webhook.serial} took ${now - postedAt} ms, and only another kind is refused`,
      )
    }
  }

  /** The object has sent it: nothing of an erased event or a suppressed person. */
  #mayLeave({ webhook, postedAt }: Known, asked: Asked): void {
    const { now, settings } = this.#world
    // A request under way: through the network, behind a slow disk, waiting for a token.
    const underWay =
      500 + (this.#has(6 * SECOND, 'storage') ? 6 * SECOND : 0) + (settings.token ? 20 * SECOND : 0)
    for (const { person, at, askedAt, until } of this.#erasures) {
      if (at === null || person !== webhook.person || now <= at + underWay) continue
      // One that was on its way to the outbox when its person was erased, and nobody is suppressed, may be stored after it.
      const wasThere = postedAt > 0 && postedAt < askedAt - 40 * SECOND
      if (wasThere || (postedAt < until && until > now && now > at)) {
        this.#breach(
          'erased',
          `webhook ${webhook.serial} left (${asked.id.slice(64) || 'whole'}) ${now - at} ms after its person was erased`,
        )
      }
    }
    const deletedAt = this.#deletions.get(webhook.id)
    if (
      deletedAt !== undefined &&
      now > deletedAt + underWay &&
      postedAt < deletedAt - 40 * SECOND
    ) {
      this.#breach(
        'deleted',
        `webhook ${webhook.serial} left ${now - deletedAt} ms after it was deleted`,
      )
    }
  }

  /** An isolate has sent it: it hears of a suppression within ten seconds. */
  #mayForward({ webhook, postedAt }: Known, asked: Asked): void {
    if (this.#has(75 * SECOND, 'rpc', 'object', 'storage', 'clock', 'deploy')) return
    for (const { person, at, until } of this.#erasures) {
      if (at === null || person !== webhook.person || until <= this.#world.now) continue
      // One that exchanged within the last minute relays before it hears.
      if (postedAt > at + 61 * SECOND) {
        this.#breach(
          'suppressed',
          `webhook ${webhook.serial} of a suppressed person was forwarded by ${asked.by}, ${postedAt - at} ms after`,
        )
      }
    }
  }

  erasing(person: number, days: number): void {
    this.#erasures.push({ person, days, askedAt: this.#world.now, at: null, until: 0 })
  }

  erased(person: number, days: number, { status }: { status: number }): void {
    const erasure = this.#erasures.findLast((each) => each.person === person && each.at === null)
    if (!erasure) return
    if (days > 0) erasure.until = this.#world.now + days * 86_400_000
    if (status !== 200) return
    erasure.at = this.#world.now
    this.#world.reach('a person erased')
    for (const known of this.#known.values()) {
      if (known.webhook.person !== person || known.webhook.quality === 'invalid') continue
      if (known.landedAt === null && known.takenAt !== null) {
        if (this.#landed.has(known.webhook.id)) this.#world.reach('a split event erased half-way')
        this.#world.reach('an event erased with its person')
        known.ended = true
        this.#waiting.delete(known.webhook.id)
      }
    }
  }

  deleting(id: string): void {
    this.#deleting.add(id)
  }

  deleted(id: string, { status }: { status: number }): void {
    const known = this.#known.get(id)
    if (!known || status !== 204) return
    this.#world.reach('an event deleted')
    known.ended = true
    this.#waiting.delete(id)
    this.#deletions.set(id, this.#world.now)
  }

  redriving(state: string): void {
    this.#redrives = this.#world.now
    if (state === 'dead') this.#world.reach('dead events redriven')
  }

  operated(name: string, { status }: { status: number }): void {
    if (name === 'pause' || name === 'resume') this.#paused = name === 'pause'
    this.#pauseIsKnown = status === 200
    if (status !== 200) return
    if (name === 'redrive') this.#redrives = this.#world.now
    this.#lastChange = this.#world.now
    this.#world.reach(`operator: ${name}`)
  }

  deployed(): void {
    this.#lastChange = this.#world.now
    this.#world.reach('a deploy')
  }

  isolateEnded(): void {
    this.#lastChange = this.#world.now
  }

  logged(line: Record<string, unknown>): void {
    const { event, reason, name, state } = line
    const { now } = this.#world
    if (event === 'alert') this.#alert(String(name), String(state))
    if (event === 'requeued') this.#world.reach('refusals taken back')
    if (event === 'batches-refused') this.#world.reach('a batch refused only together')
    if (event === 'drain-failed') this.#world.reach('a run that broke')
    if (event === 'not-recorded') this.#world.reach('an answer that could not be noted')
    if (event === 'upstream') this.#outage(String(line.status), String(line.code))
    if (event !== 'hold') return
    this.#world.reach(reason === null ? 'a hold lifted' : `hold ${String(reason)}`)
    if (this.#has(2 * MINUTE, 'rpc', 'clock', 'object', 'isolate', 'storage', 'deploy')) return
    const recently = (ms: number, said: (asked: Asked) => boolean) =>
      this.#world.aep.asked.findLast((asked) => asked.at >= now - ms && said(asked))
    if (reason === 'rejecting') {
      const accepted = this.#world.aep.asked.findLast(
        ({ answer, answeredAt, event, id }) =>
          answer === 'accepted' &&
          id === event &&
          answeredAt !== null &&
          answeredAt < now - 13 * SECOND,
      )
      if (accepted && (accepted.answeredAt ?? 0) > now - 45 * SECOND) {
        this.#breach(
          'hold',
          `rejecting, though AEP took one ${now - (accepted.answeredAt ?? 0)} ms before`,
        )
      }
      if (!recently(5 * MINUTE, ({ answer }) => answer === '400')) {
        this.#breach('hold', 'rejecting, though AEP has refused nothing')
      }
    }
    if (reason === 'configuration' && !recently(3 * MINUTE, ({ answer }) => answer === '404')) {
      this.#breach('hold', 'configuration, though AEP knows the address')
    }
    const unauthorized = ({ answer }: Asked) => answer === '401' || answer === '403'
    const imsFails = this.#world.faults(MINUTE).some((each) => each.what === 'aep' && each.ims)
    if (reason === 'credentials' && !imsFails && !recently(3 * MINUTE, unauthorized)) {
      this.#breach('hold', 'credentials, though AEP has refused none')
    }
  }

  /** The relay says that AEP is down, or works again. */
  #outage(status: string, code: string): void {
    const { now, aep } = this.#world
    this.#world.reach(`outage ${status}`)
    if (status !== 'failing' || code === 'token') return
    const failed = aep.asked.some(({ at, answer }) => at > now - 3 * MINUTE && DOWN.has(answer))
    if (!failed)
      this.#breach('outage', `AEP is called down (${code}), and has not failed for three minutes`)
  }

  /** Raised once, perhaps repeated, resolved once. */
  #alert(name: string, state: string): void {
    const before = this.#alerts.get(name)
    this.#alerts.set(name, state)
    this.#world.reach(`alert ${name} ${state}`)
    const lasts = ['hold', 'queue-age', 'storage'].includes(name)
    const knew = this.#world.plan.faults.every(({ what }) => what === 'aep' || what === 'storage')
    if (lasts && knew && before === 'firing' && state === 'firing') {
      this.#breach('alert', `${name} raised twice`)
    }
    if (this.#has(12 * MINUTE, 'rpc', 'object', 'storage', 'clock', 'deploy', 'isolate')) return
    const isFirst = before === undefined || before === 'resolved'
    if (state === 'resolved' && isFirst)
      this.#breach('alert', `${name} resolved, and was not raised`)
  }

  alerted(_body: string): void {
    this.#world.reach('an alert sent')
  }

  /** What a monitor heard. */
  health(status: number, reasons: readonly string[]): void {
    const { now } = this.#world
    this.#rate()
    const own = ['upstream', 'credentials', 'configuration', 'rejecting']
    const said = reasons.find((reason) => own.includes(reason))
    const isPoisoned = this.#world.plan.webhooks.some(({ quality }) => quality.startsWith('poison'))
    const quiet = this.#world.calmMs
    const wasRight = now - this.#world.wrongAt > quiet
    if (said && !isPoisoned && wasRight && !this.#has(quiet, 'aep', 'clock')) {
      this.#breach('health', `says ${said}, and AEP has not failed for ${quiet / MINUTE} minutes`)
    }
    if (
      reasons.includes('storage') &&
      !this.#has(2 * MINUTE, 'rpc', 'object', 'storage', 'clock', 'deploy')
    ) {
      this.#breach('health', 'says storage, and storage is well')
    }
    if (this.#has(20 * SECOND, 'rpc', 'object', 'clock', 'deploy')) return
    const isOther = reasons.includes('paused') !== this.#paused && this.#pauseIsKnown
    if (isOther && now - this.#lastChange > 20 * SECOND) {
      this.#breach('health', `says ${reasons.join(' ') || 'ok'}, and paused is ${this.#paused}`)
    }
    const since = now - 75 * SECOND
    const wasFull = this.#world
      .faults(0, since)
      .some((each) => each.what === 'storage' && each.how === 'full')
    const isFull = this.#world
      .faults()
      .some((each) => each.what === 'storage' && each.how === 'full')
    if (wasFull && isFull && status !== 503) {
      this.#breach('health', `says ${status} ${reasons.join(' ')}, and nothing can be stored`)
    }
    if (
      !said &&
      !this.#paused &&
      this.#aepHasFailed(3 * MINUTE) &&
      !this.#has(4 * MINUTE, 'storage', 'sender')
    ) {
      this.#breach('health', `says ${reasons.join(' ') || 'ok'}, and AEP has failed for minutes`)
    }
  }

  /** Everything that was asked for so long failed, some of it early and some of it late. */
  #aepHasFailed(ms: number): boolean {
    const { now, aep } = this.#world
    const requests = []
    for (let index = aep.requests.length - 1; index >= 0; index -= 1) {
      const request = aep.requests[index]
      if (!request || request.at < now - ms) break
      if (!request.failed) return false
      if (request.at < now - 20 * SECOND) requests.push(request)
    }
    if (requests.length < 3 || now - this.#lastAccepted < ms) return false
    const lately = aep.asked.slice(-requests.length)
    return lately.every(({ answer }) => answer !== '413' && answer !== '400')
  }

  /** Requests in the last minute, to an AEP that has failed for longer. */
  #rate(): void {
    const { now, aep, plan } = this.#world
    if (now - this.#lastAccepted < 3 * MINUTE || now - this.#lastChange < 3 * MINUTE) return
    if (this.#has(3 * MINUTE, 'clock', 'isolate', 'deploy', 'rpc', 'object', 'sender', 'storage'))
      return
    const count = askedInVain(aep.requests, now, { windowMs: MINUTE, failingMs: 2 * MINUTE }) ?? 0
    this.mostProbes = Math.max(this.mostProbes, count)
    const most = MOST_PROBES + plan.isolates * 5
    if (count > most) this.#breach('rate', `${count} requests in a minute to an AEP that fails`)
  }

  atStep(): void {
    this.#steps += 1
    if (this.#steps % LOOK_EVERY === 0) this.#look()
  }

  /** The ledger against the rows, custody against everything. */
  #look(): void {
    const { storage } = this.#world.object
    const tables = storage.look("SELECT 1 FROM sqlite_master WHERE name = 'events'")
    if (tables.length === 0) return
    const rows = storage.look<{ id: string; state: string; code: string | null }>(
      'SELECT id, state, code FROM events',
    )
    const [ledger] = storage.look<Record<string, number>>(
      'SELECT accepted, delivered, expired, deleted, person FROM ledger',
    )
    const { accepted = 0, delivered = 0, expired = 0, deleted = 0, person = 0 } = ledger ?? {}
    if (accepted !== delivered + expired + deleted + person + rows.length) {
      this.#breach(
        'ledger',
        `${accepted} accepted, ${delivered} delivered, ${expired + deleted + person} erased, ${rows.length} stored`,
      )
    }
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    for (const id of this.#waiting) {
      const known = this.#known.get(id)
      if (known && !states.has(id) && !this.#mayBeEnded(known)) {
        this.#breach('custody', `webhook ${known.webhook.serial} was taken, and is nowhere`)
        this.#waiting.delete(id)
      }
    }
    for (const { id, state, code } of rows) this.#stateOf(id, state, code)
  }

  #stateOf(id: string, state: string, code: string | null): void {
    const known = this.#known.get(id)
    if (!known) {
      this.#breach('stranger', `${id} is stored and was never sent`)
      return
    }
    const { webhook, refusals } = known
    const { now } = this.#world
    if (state === 'quarantined' && webhook.quality !== 'invalid') {
      this.#breach('quarantined', `webhook ${webhook.serial} is good, and in quarantine: ${code}`)
      known.ended = true
    }
    if (state === 'dead' && !known.dead) {
      this.#world.reach('a dead event')
      known.deadAt = now
      known.deadIn = this.#world.deployment
      const isRefused = refusals.length > 0 || code === 'settings-changed'
      if (!isRefused && now - known.postedAt < 86_400_000) {
        this.#breach(
          'dead',
          `webhook ${webhook.serial} (${webhook.quality}) is dead (${code}), and AEP never refused it`,
        )
      }
    }
    if (state === 'pending' && known.dead) this.#tookBack(known)
    known.dead = state === 'dead'
  }

  /** A dead event is pending again: an operator, or a refusal that was the setting's fault. */
  #tookBack({ webhook, deadAt, deadIn, refusals }: Known): void {
    const { now, aep, deployment } = this.#world
    if (this.#redrives > 0 && now - this.#redrives < 10 * MINUTE) return
    this.#world.reach('a dead event taken back')
    if (this.#has(10 * MINUTE, 'rpc', 'clock')) return
    const diedAt = refusals.at(-1) ?? deadAt ?? now
    const accepted = aep.asked.filter(
      ({ answer, at }) => answer === 'accepted' && at > diedAt + SECOND && at < now - 75 * SECOND,
    )
    if (accepted.length >= 3 && deadIn !== deployment) {
      this.#breach(
        'taken-back',
        `webhook ${webhook.serial} died under other settings, and is pending again`,
      )
    }
  }

  atEnd(): void {
    this.#look()
    const { world } = { world: this.#world }
    const rows = world.object.storage.look<{ id: string; state: string }>(
      'SELECT id, state FROM events',
    )
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    for (const known of this.#known.values()) {
      const { webhook, takenAt, landedAt } = known
      const { serial, quality } = webhook
      if (takenAt === null || landedAt !== null) continue
      const state = states.get(webhook.id)
      if (state === undefined && !this.#mayBeEnded(known))
        this.#breach('lost', `webhook ${serial} (${quality}) was taken, and is nowhere`)
      else if (quality === 'good' && state === 'pending') {
        this.#breach(
          'late',
          `webhook ${serial} is good, and still pending ${world.calmMs / MINUTE} minutes after the last fault`,
        )
      }
    }
    for (const [name, state] of this.#alerts) {
      const lasts = ['hold', 'queue-age', 'storage'].includes(name) && state !== 'resolved'
      const isPoisoned = world.plan.webhooks.some(({ quality }) => quality.startsWith('poison'))
      // What could not be stored was known to an isolate that ended.
      const isForgotten =
        name === 'storage' &&
        world.plan.faults.some(({ what }) => what === 'isolate' || what === 'deploy')
      if (lasts && !isPoisoned && !isForgotten)
        this.#breach('alert', `${name} is still ${state} at the end`)
    }
  }
}

/** Whether these records are one whole event: itself, or all of its parts of one kind. */
function isWhole(records: ReadonlyMap<string, Landed>): boolean {
  const found = new Map<string, Set<number>>()
  for (const { text } of records.values()) {
    const [, , count] = /"part":\{"index":(\d+),"count":(\d+)/.exec(text) ?? []
    if (count === undefined) return true
    const [, index] = /"part":\{"index":(\d+)/.exec(text) ?? []
    const key = `${count}`
    const set = found.get(key) ?? new Set()
    found.set(key, set.add(Number(index)))
    if (set.size === Number(count)) return true
  }
  return false
}
