/**
 * The observer who sees everything: at every step and at the end it says which promise of `design.md` was broken. It looks at
 * Adobe, at the rows of the outbox and at the answers, and believes nothing of what the relay says of itself.
 */
import { imbalance, lost } from '../promises.ts'
import type { Asked, Landed } from './aep.ts'
import { AboutAep } from './oracle-aep.ts'
import { AboutAlerts } from './oracle-alerts.ts'
import { AboutFigures } from './oracle-figures.ts'
import { AboutLanded } from './oracle-landed.ts'
import { endOf, type Fault, type Webhook } from './plan.ts'
import type { Answered, Breach, World } from './world.ts'

export type Known = {
  webhook: Webhook
  postedAt: number
  /** Its sender has sent it once more, last; 0: never. */
  againAt: number
  /** First 2xx, or a 4xx that says that it is stored. */
  takenAt: number | null
  landedAt: number | null
  /** AEP refused it for good, so often. */
  refusals: number[]
  /** An operator ended it, or its person is suppressed. */
  ended: boolean
  /** It was answered that its person is suppressed: it never entered the outbox. */
  suppressed: boolean
  endedAt: number | null
  firstAskedAt: number
  dead: boolean
  /** First seen dead. */
  deadAt: number | null
  deadIn: number
  /** Why it died. */
  deadOf: string | null
  /** When it was last found to wait again, after it was dead. */
  backAt: number
  /** An isolate has sent it, so its receipt may go with the isolate. */
  forwarded: boolean
  isLate: boolean
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
type Row = { id: string; state: string; code: string | null; received_at: number }

/** Of faults: what keeps no event from AEP. */
const HARMLESS = new Set<Fault['what']>(['landed', 'chatlio', 'operator', 'isolate', 'alarm-lost'])
/** While it lasts six of ten requests fail at most. */
const PARTLY_MS = 60 * MINUTE
const PARTIAL = new Set<string>(['500', '503', '429', 'reset', 'empty', 'lost-answer'])

function isPartial(fault: Fault): boolean {
  return fault.what === 'aep' && !fault.ims && fault.share <= 0.6 && PARTIAL.has(fault.answer)
}

export class Oracle {
  readonly breaches: Breach[] = []
  readonly world: World
  readonly aboutAep: AboutAep
  readonly alerts: AboutAlerts
  readonly figures: AboutFigures
  readonly landed: AboutLanded
  /** Whether some events are never taken by AEP. */
  readonly isPoisoned: boolean
  readonly #known = new Map<string, Known>()
  readonly #erasures: Erasure[] = []
  readonly #deleting = new Set<string>()
  readonly #deletions = new Map<string, number>()
  /** Parts and copies that have landed, by event. */
  readonly #landed = new Map<string, Map<string, Landed>>()
  readonly #waiting = new Set<string>()
  #steps = 0
  #posted = 0
  #redrives = 0
  lastAccepted = 0
  lastChange = 0
  /** Since when nothing has hindered; and nothing but what fails some of the requests. */
  #quietSince = 0
  #partlySince = 0
  #rows: readonly Row[] = []

  constructor(world: World) {
    this.world = world
    this.aboutAep = new AboutAep(this)
    this.alerts = new AboutAlerts(this)
    this.figures = new AboutFigures(this)
    this.landed = new AboutLanded(this)
    this.isPoisoned = world.plan.webhooks.some(({ quality }) => quality.startsWith('poison'))
    for (const webhook of world.plan.webhooks) {
      this.#known.set(webhook.id, {
        webhook,
        postedAt: 0,
        againAt: 0,
        takenAt: null,
        landedAt: null,
        refusals: [],
        ended: false,
        suppressed: false,
        endedAt: null,
        firstAskedAt: Number.POSITIVE_INFINITY,
        dead: false,
        deadAt: null,
        deadIn: 0,
        deadOf: null,
        backAt: 0,
        forwarded: false,
        isLate: false,
      })
    }
  }

  breach(check: string, text: string): void {
    const { now } = this.world
    this.world.note(`BREACH ${check}: ${text}`)
    if (this.breaches.length < 20) this.breaches.push({ at: now, check, text })
  }

  /** Whether any fault of these kinds lasts, or did within `ms`. */
  has(ms: number, ...kinds: Fault['what'][]): boolean {
    return this.world.faults(ms).some(({ what }) => kinds.includes(what))
  }

  posted(webhook: Webhook): void {
    const known = this.#known.get(webhook.id)
    if (!known) return
    if (known.postedAt > 0) {
      known.againAt = this.world.now
      return
    }
    known.postedAt = this.world.now
    this.#posted += 1
    const { serial } = webhook
    this.world.queue.after(60_000, () => {
      if (known.takenAt !== null || this.#answeredSerials.has(serial)) return
      if (this.has(61_000, 'isolate', 'deploy')) return
      this.breach('answer', `webhook ${webhook.serial} has no answer after a minute`)
    })
  }
  readonly #answeredSerials = new Set<number>()
  /** Of the last seconds. */
  readonly #answers: { at: number; status: number }[] = []

  answered({ webhook, status, outcome, letsIn, by }: Answered): void {
    this.#answeredSerials.add(webhook.serial)
    const known = this.#known.get(webhook.id)
    if (!known) return
    const { now } = this.world
    this.figures.answered(status, outcome, by)
    this.#answers.push({ at: now, status })
    if (status === 401 || !letsIn) {
      if ((status === 401) === letsIn)
        this.breach('answer', `webhook ${webhook.serial} got ${status}`)
      else this.alerts.unauthorized()
      this.world.reach('a webhook under a key that was taken out')
      return
    }
    this.alerts.answered(by, status)
    if (status === 503) {
      this.#unavailable(webhook)
      return
    }
    if (outcome === 'dead-lettered' || status === 422) this.alerts.parked()
    const expected = webhook.quality === 'invalid' ? [422] : [200, 202]
    if (!expected.includes(status)) {
      this.breach(
        'answer',
        `webhook ${webhook.serial} (${webhook.quality}) got ${status} ${outcome}`,
      )
      return
    }
    known.takenAt ??= now
    if (outcome === 'suppressed') {
      const { person } = webhook
      if (!this.#erasures.some((each) => each.person === person && each.days > 0)) {
        this.breach('suppressed', `webhook ${webhook.serial} is of nobody who was erased`)
      }
      known.ended = true
      known.suppressed = true
      this.world.reach('a webhook of a suppressed person')
      return
    }
    this.landed.taken(webhook.conversation, webhook.quality === 'invalid' ? '' : webhook.kind)
    if (!this.#isInCustody(webhook.id)) {
      this.breach('custody', `webhook ${webhook.serial} got ${status} ${outcome} and is nowhere`)
    }
    if (outcome === 'forwarded' && known.landedAt === null) {
      this.breach('custody', `webhook ${webhook.serial} is called forwarded and is not in AEP`)
    }
    if (known.landedAt === null) this.#waiting.add(webhook.id)
  }

  /** Neither relayed nor stored: only where that could not be done. */
  #unavailable({ serial }: Webhook): void {
    const isBroken = this.world
      .faults(15 * SECOND)
      .some((each) => each.what === 'storage' && each.how !== 'slow')
    if (isBroken || this.has(15 * SECOND, 'rpc', 'clock')) return
    const moments = this.world
      .faults(12 * SECOND)
      .filter(({ what }) => what === 'object' || what === 'deploy')
    const isOnlyReset =
      moments.length <= 1 &&
      moments.every((each) => each.what === 'deploy' || ('how' in each && each.how === 'reset'))
    if (isOnlyReset)
      this.breach('unavailable', `webhook ${serial} got 503, and could have been stored`)
  }

  #isInCustody(id: string): boolean {
    const known = this.#known.get(id)
    if (!known || known.landedAt !== null || this.mayBeEnded(known)) return true
    const rows = this.world.object.storage.look('SELECT 1 FROM events WHERE id = ?', id)
    return rows.length > 0
  }

  /** An operator has ended it, or has tried to since it was posted. */
  mayBeEnded({ webhook, ended, postedAt }: Known): boolean {
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
    const { now } = this.world
    if (!known) {
      this.breach('stranger', `AEP got ${asked.id}, which nobody sent`)
      return
    }
    known.firstAskedAt = Math.min(known.firstAskedAt, now)
    if (asked.answer === '400' || asked.answer === '413') known.refusals.push(now)
    if (asked.by.startsWith('sender')) this.#mayLeave(known, asked)
    else {
      known.forwarded = true
      this.#mayForward(known, asked)
    }
    if (!asked.fits) {
      this.breach(
        'shape',
        `AEP got ${asked.id.slice(0, 8)}${asked.id.slice(64)} as something that is not ${asked.format}`,
      )
    }
    // The record lands after this; what has landed is looked at when its answer is on the way.
    this.world.queue.after(0, () => this.#landing(known, asked.id))
  }

  /** After an event was delivered nothing is kept of it: one that comes again goes by the settings of then. */
  twoContents(id: string): void {
    const { landedAt = null, againAt = 0 } = this.#known.get(id.slice(0, 64)) ?? {}
    const isAnew = landedAt !== null && againAt > landedAt
    if (isAnew && this.has(this.world.now - landedAt, 'deploy')) return
    this.breach('content', `AEP got ${id.slice(0, 8)}${id.slice(64)} twice, with other contents`)
  }

  #landing(known: Known, id: string): void {
    const landed = this.world.aep.lake.get(id)
    if (!landed) return
    const parts = this.#landed.get(known.webhook.id) ?? new Map<string, Landed>()
    this.#landed.set(known.webhook.id, parts.set(id, landed))
    this.lastAccepted = this.world.now
    if (known.landedAt !== null) {
      if (landed.copies > 1) this.world.reach('an event sent twice')
      return
    }
    if (!isWhole(parts)) {
      this.world.reach('a part of a split event')
      return
    }
    known.landedAt = this.world.now
    this.#waiting.delete(known.webhook.id)
    this.#inTime(known)
    if (known.webhook.quality === 'invalid') {
      this.breach('stranger', `webhook ${known.webhook.serial} is invalid and is in AEP`)
    }
  }

  /** Where one kind alone is refused for good, the others are there within ten seconds. */
  #inTime({ webhook, postedAt }: Known): void {
    const { now, plan, wrongAt } = this.world
    const isOther = (fault: Fault) =>
      fault.what !== 'aep' ||
      fault.ims ||
      fault.answer !== '400' ||
      fault.share < 1 ||
      (fault.kinds?.includes(webhook.kind) ?? true)
    const isPlain = plan.webhooks.every(({ quality }) => !quality.startsWith('poison'))
    if (!isPlain || this.aboutAep.paused || now - wrongAt < 10 * MINUTE) return
    const lately = this.world.faults(10 * MINUTE)
    if (lately.length === 0 || lately.some(isOther)) return
    this.world.reach('an event beside a kind that is refused')
    if (now - postedAt > 15 * SECOND) {
      this.breach(
        'stalled',
        `webhook ${webhook.serial} took ${now - postedAt} ms, and only another kind is refused`,
      )
    }
  }

  /** The object has sent it: nothing of an erased event or a suppressed person. */
  #mayLeave({ webhook, postedAt, againAt }: Known, asked: Asked): void {
    const { now } = this.world
    // A request under way: through the network, behind a slow disk.
    const underWay = 500 + (this.has(6 * SECOND, 'storage') ? 6 * SECOND : 0)
    for (const { person, at, askedAt, until } of this.#erasures) {
      if (at === null || person !== webhook.person || now <= at + underWay) continue
      // One that was on its way to the outbox when its person was erased, and nobody is suppressed, may be stored after it.
      const wasThere = postedAt > 0 && Math.max(postedAt, againAt) < askedAt - 40 * SECOND
      if (wasThere || (postedAt < until && until > now && now > at)) {
        this.breach(
          'erased',
          `webhook ${webhook.serial} left (${asked.id.slice(64) || 'whole'}) ${now - at} ms after its person was erased`,
        )
      }
    }
    const deletedAt = this.#deletions.get(webhook.id)
    if (
      deletedAt !== undefined &&
      now > deletedAt + underWay &&
      Math.max(postedAt, againAt) < deletedAt - 40 * SECOND
    ) {
      this.breach(
        'deleted',
        `webhook ${webhook.serial} left ${now - deletedAt} ms after it was deleted`,
      )
    }
  }

  /** An isolate has sent it: it hears of a suppression within ten seconds. */
  #mayForward({ webhook, postedAt }: Known, asked: Asked): void {
    if (this.has(75 * SECOND, 'rpc', 'object', 'storage', 'clock', 'deploy')) return
    for (const { person, at, until } of this.#erasures) {
      if (at === null || person !== webhook.person || until <= this.world.now) continue
      // One that exchanged within the last minute relays before it hears.
      if (postedAt > at + 61 * SECOND) {
        this.breach(
          'suppressed',
          `webhook ${webhook.serial} of a suppressed person was forwarded by ${asked.by}, ${postedAt - at} ms after`,
        )
      }
    }
  }

  erasing(person: number, days: number): void {
    this.#erasures.push({ person, days, askedAt: this.world.now, at: null, until: 0 })
  }

  erased(person: number, days: number, { status }: { status: number }): void {
    const erasure = this.#erasures.findLast((each) => each.person === person && each.at === null)
    if (!erasure) return
    if (days > 0) erasure.until = this.world.now + days * 86_400_000
    if (status !== 200) return
    erasure.at = this.world.now
    this.world.reach('a person erased')
    for (const known of this.#known.values()) {
      if (known.webhook.person !== person || known.webhook.quality === 'invalid') continue
      if (known.landedAt === null && known.takenAt !== null) {
        if (this.#landed.has(known.webhook.id)) this.world.reach('a split event erased half-way')
        this.world.reach('an event erased with its person')
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
    this.world.reach('an event deleted')
    known.ended = true
    this.#waiting.delete(id)
    this.#deletions.set(id, this.world.now)
  }

  redriving(state: string): void {
    this.#redrives = this.world.now
    if (state === 'dead') this.world.reach('dead events redriven')
  }

  operated(name: string, { status }: { status: number }): void {
    if (name === 'pause' || name === 'resume') this.aboutAep.pausingAnswered(name, status === 200)
    if (status !== 200) return
    if (name === 'redrive') this.#redrives = this.world.now
    this.lastChange = this.world.now
    this.world.reach(`operator: ${name}`)
  }

  deployed(): void {
    this.lastChange = this.world.now
    this.world.reach('a deploy')
  }

  isolateEnded(): void {
    this.lastChange = this.world.now
  }

  logged(line: Record<string, unknown>): void {
    const { event, name, state } = line
    const { world } = this
    if (event === 'alert') this.alerts.logged(String(name), state as 'firing')
    if (event === 'requeued') world.reach('refusals taken back')
    if (event === 'batches-refused') world.reach('a batch refused only together')
    if (event === 'drain-failed') world.reach('a run that broke')
    if (event === 'not-recorded') world.reach('an answer that could not be noted')
    if (event === 'landed-unread') world.reach('AEP does not let its counts be read')
    this.aboutAep.logged(line)
    this.alerts.holdChanged(this.aboutAep.hold)
  }

  alerted(_body: string): void {
    this.world.reach('an alert sent')
  }

  /** What a monitor heard, once a minute. */
  health(status: number, reasons: readonly string[]): void {
    this.aboutAep.health(status, reasons)
  }

  /** What an isolate holds now. */
  monitored(held: number): void {
    const since = this.world.now - this.world.began - 2 * MINUTE
    const { webhooks } = this.world.plan
    let lately = 0
    for (let index = this.#posted - 1; index >= 0; index -= 1) {
      if ((webhooks[index]?.at ?? 0) < since) break
      lately += 1
    }
    this.figures.held(held, lately)
  }

  /** `began`: when the cron trigger began to run. */
  cronEnded(began: number): void {
    this.#look()
    this.alerts.ran(began)
    this.landed.ran()
  }

  atStep(): void {
    this.#steps += 1
    if (this.#steps % LOOK_EVERY === 0) this.#look()
  }

  // What those who look ask for.

  all(): Iterable<Known> {
    return this.#known.values()
  }

  get unanswered(): number {
    return this.world.plan.webhooks.length - this.#answeredSerials.size
  }

  rows(): readonly Row[] {
    return this.#rows
  }

  /** The latest record that AEP was asked for in the last `ms`, of which it is true. */
  lastAsked(ms: number, said: (asked: Asked) => boolean): Asked | null {
    const { asked } = this.world.aep
    for (let index = asked.length - 1; index >= 0; index -= 1) {
      const one = asked[index] as Asked
      if (one.at < this.world.now - ms) return null
      if (said(one)) return one
    }
    return null
  }

  /** Records that AEP was asked for in the last `ms`, the latest first. */
  askedWithin(ms: number): Asked[] {
    const found: Asked[] = []
    this.lastAsked(ms, (asked) => found.push(asked) === 0)
    return found
  }

  firstAskedAt(event: string): number {
    return this.#known.get(event)?.firstAskedAt ?? this.world.now
  }

  /** What webhooks were answered in the last `ms`. */
  answersWithin(ms: number): number[] {
    const first = this.#answers.findIndex(({ at }) => at >= this.world.now - ms)
    if (first > 0) this.#answers.splice(0, first)
    return first < 0 ? [] : this.#answers.map(({ status }) => status)
  }

  isFull(at: number): boolean {
    return this.world.faults(0, at).some((each) => each.what === 'storage' && each.how === 'full')
  }

  oldestPendingAt(): number | null {
    const first = this.#rows.find(({ state }) => state === 'pending')
    return first ? first.received_at : null
  }

  parkedNow(): number {
    return this.#rows.filter(({ state }) => state !== 'pending').length
  }

  /** Somebody whose suppression can be ended. */
  suppressedPerson(): number | null {
    const { now } = this.world
    return this.#erasures.find(({ at, until }) => at !== null && until > now)?.person ?? null
  }

  unsuppressing(person: number): void {
    this.world.reach('a suppression ended')
    for (const erasure of this.#erasures) if (erasure.person === person) erasure.until = 0
  }

  /** Those of the outbox, as they are now. */
  #read(): void {
    const { storage } = this.world.object
    const tables = storage.look("SELECT 1 FROM sqlite_master WHERE name = 'events'")
    this.#rows =
      tables.length === 0
        ? []
        : storage.look<Row>('SELECT id, state, code, received_at FROM events ORDER BY position')
  }

  /** The ledger against the rows, custody against everything. */
  #look(): void {
    this.#read()
    const rows = this.#rows
    const [ledger] = this.world.object.storage.look<Record<string, number>>(
      'SELECT accepted, delivered, expired, deleted, person FROM ledger',
    )
    const { accepted = 0, delivered = 0, expired = 0, deleted = 0, person = 0 } = ledger ?? {}
    const count = (state: string) => rows.filter((row) => row.state === state).length
    const wrong = imbalance({
      accepted,
      delivered,
      pending: count('pending'),
      dead: count('dead'),
      quarantined: count('quarantined'),
      erased: expired + deleted + person,
    })
    if (wrong) this.breach('ledger', wrong)
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    for (const id of this.#lost(this.#waiting, states)) {
      this.breach(
        'custody',
        `webhook ${this.#known.get(id)?.webhook.serial} was taken, and is nowhere`,
      )
      this.#waiting.delete(id)
    }
    for (const { id, state, code } of rows) this.#stateOf(id, state, code)
    this.#inBounds(states)
  }

  #lost(taken: Iterable<string>, states: ReadonlyMap<string, string>): string[] {
    const known = (id: string) => this.#known.get(id) as Known
    return lost(taken, {
      landed: (id) => known(id).landedAt !== null,
      stored: (id) => states.has(id),
      ended: (id) => this.mayBeEnded(known(id)),
    })
  }

  /**
   * Once nothing hinders any more a good event is there within as long as the calm; while only some requests fail, within an
   * hour more.
   */
  #inBounds(states: ReadonlyMap<string, string>): void {
    const { now, calmMs, wrongAt } = this.world
    const lasting = this.world.faults().filter(({ what }) => !HARMLESS.has(what))
    const held = this.aboutAep.paused || !this.aboutAep.pauseIsKnown || wrongAt === now
    if (held || lasting.length > 0) this.#quietSince = now
    if (held || !lasting.every(isPartial)) this.#partlySince = now
    const ended = this.world.faults(calmMs).filter(({ what }) => !HARMLESS.has(what))
    const latest = Math.max(wrongAt, ...ended.map((fault) => this.world.began + endOf(fault)))
    const quiet = Math.max(this.#quietSince, latest)
    for (const id of this.#waiting) {
      const known = this.#known.get(id)
      if (!known || known.isLate || known.webhook.quality !== 'good') continue
      if (states.get(id) !== 'pending') continue
      const { takenAt, backAt, webhook } = known
      const since = Math.max(takenAt ?? now, backAt)
      const waited = now - Math.max(since, quiet)
      const waitedPartly = now - Math.max(since, this.#partlySince)
      if (waited <= calmMs && waitedPartly <= calmMs + PARTLY_MS) continue
      known.isLate = true
      const ms = now - since
      this.breach(
        'late',
        `webhook ${webhook.serial} is good, and waits since ${ms / MINUTE} minutes`,
      )
    }
  }

  #stateOf(id: string, state: string, code: string | null): void {
    const known = this.#known.get(id)
    if (!known) {
      this.breach('stranger', `${id} is stored and was never sent`)
      return
    }
    const { webhook, refusals } = known
    const { now } = this.world
    if (state === 'quarantined' && webhook.quality !== 'invalid') {
      this.breach('quarantined', `webhook ${webhook.serial} is good, and in quarantine: ${code}`)
      known.ended = true
    }
    if (state === 'dead' && !known.dead) {
      this.world.reach('a dead event')
      known.deadAt = now
      known.deadIn = this.world.deployment
      known.deadOf = code
      const isRefused = refusals.length > 0 || code === 'settings-changed'
      // A day of strikes is a day of the object's clock.
      const jumped = this.world.plan.faults.some(
        (each) => each.what === 'clock' && each.of === 'object',
      )
      const mayBeOld = jumped && webhook.quality !== 'good'
      if (!isRefused && !mayBeOld && now - known.postedAt < 86_400_000) {
        this.breach(
          'dead',
          `webhook ${webhook.serial} (${webhook.quality}) is dead (${code}), and AEP never refused it`,
        )
      }
    }
    if (state !== 'pending') this.alerts.parked()
    if (state === 'pending' && known.dead) this.#tookBack(known)
    if (state === 'pending' && known.dead) known.backAt = now
    known.dead = state === 'dead'
  }

  /** A dead event is pending again: an operator, or a refusal that was the setting's fault. */
  #tookBack({ webhook, deadAt, deadIn, refusals, againAt }: Known): void {
    const { now, aep, deployment } = this.world
    if (this.#redrives > 0 && now - this.#redrives < 10 * MINUTE) return
    // Or it has come again.
    if (againAt > (deadAt ?? now) - MINUTE) return
    this.world.reach('a dead event taken back')
    if (this.has(10 * MINUTE, 'rpc', 'clock')) return
    const diedAt = refusals.at(-1) ?? deadAt ?? now
    // By the object's clock it may have died after all that has happened since.
    const died = this.world.faults(MINUTE, diedAt)
    if (died.some((each) => each.what === 'clock' && each.of === 'object')) return
    const accepted = aep.asked.filter(
      ({ answer, at }) => answer === 'accepted' && at > diedAt + SECOND && at < now - 75 * SECOND,
    )
    if (accepted.length >= 3 && deadIn !== deployment) {
      this.breach(
        'taken-back',
        `webhook ${webhook.serial} died under other settings, and is pending again`,
      )
    }
  }

  atEnd(): void {
    this.#look()
    const { world } = this
    const rows = world.object.storage.look<{ id: string; state: string }>(
      'SELECT id, state FROM events',
    )
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    const taken = [...this.#known.values()].filter(({ takenAt }) => takenAt !== null)
    const ids = taken.map(({ webhook }) => webhook.id)
    for (const id of this.#lost(ids, states)) {
      this.breach(
        'lost',
        `webhook ${this.#known.get(id)?.webhook.serial} was taken, and is nowhere`,
      )
    }
    for (const known of this.#known.values()) {
      const { webhook, takenAt, landedAt } = known
      const { serial, quality } = webhook
      if (takenAt === null || landedAt !== null) continue
      const state = states.get(webhook.id)
      if (quality === 'good' && state === 'pending') {
        this.breach(
          'late',
          `webhook ${serial} is good, and still pending ${world.calmMs / MINUTE} minutes after the last fault`,
        )
      }
    }
    this.#endedAsCounted(taken, states)
    this.#deadInVain(states)
    this.alerts.atEnd()
    this.figures.atEnd()
  }

  /** What operators have ended is in the ledger, as they ended it; and nothing is so old here that it expires. */
  #endedAsCounted(taken: readonly Known[], states: ReadonlyMap<string, string>): void {
    const [ledger] = this.world.object.storage.look<Record<string, number>>(
      'SELECT expired, deleted, person FROM ledger',
    )
    const { expired = 0, deleted = 0, person = 0 } = ledger ?? {}
    if (expired > 0) this.breach('ledger', `${expired} expired, and none is a day old`)
    if (deleted > this.#deleting.size) {
      this.breach('ledger', `${deleted} deleted, and operators asked for ${this.#deleting.size}`)
    }
    const gone = taken.filter(
      ({ webhook, landedAt, suppressed }) =>
        landedAt === null && !suppressed && !states.has(webhook.id),
    )
    if (gone.length <= deleted + person) return
    this.breach('ledger', `${deleted} deleted and ${person} erased, and ${gone.length} are gone`)
  }

  /**
   * No good event stays dead for what refused all: where three were refused, and none was accepted for more than a minute,
   * the setting was wrong, and not the events.
   */
  #deadInVain(states: ReadonlyMap<string, string>): void {
    const { aep } = this.world
    const accepted = aep.asked
      .filter(({ answer, answeredAt }) => answer === 'accepted' && answeredAt !== null)
      .map(({ at, answeredAt }) => ({ from: at, to: answeredAt as number }))
    const refused = aep.asked.filter(({ answer }) => answer === '400')
    for (const known of this.#known.values()) {
      const { webhook, refusals } = known
      const last = refusals.at(-1)
      if (states.get(webhook.id) !== 'dead' || webhook.quality !== 'good' || !last) continue
      // Its size is always an event's own fault.
      if (known.deadOf === 'too-large') continue
      if (this.world.faults(0, last).some(({ what }) => what !== 'aep')) continue
      const before = accepted.findLast(({ to }) => to < last)?.to ?? 0
      const after = accepted.find(({ from }) => from > last)?.from ?? Number.POSITIVE_INFINITY
      const among = refused.filter(({ at }) => at > before && at < after)
      const events = new Set(among.map(({ event }) => event))
      const first = among[0]?.at ?? last
      const isOther = this.world.plan.faults.some(
        (fault) =>
          !HARMLESS.has(fault.what) &&
          fault.what !== 'aep' &&
          endOf(fault) + this.world.began > before - 2 * MINUTE &&
          ('from' in fault ? fault.from : fault.at) + this.world.began < after,
      )
      if (events.size < 4 || isOther || last - first < 75 * SECOND) continue
      if (last > after - 75 * SECOND) continue
      this.breach(
        'dead',
        `webhook ${webhook.serial} is good and dead, and AEP refused everything then`,
      )
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
