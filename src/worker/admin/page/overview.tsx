/** The overview: how things are, what to do, the ledger, the last 24 hours, problems by cause. */
import {
  adviceFor,
  count,
  EXPIRING_MEANING,
  NO_KEY,
  OUTAGE_ENDS,
  STORAGE,
  STORED,
} from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { HealthReason } from '../../http/health.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { causes } from '../run/events.ts'
import { activity, status } from '../run/relay.ts'
import { href } from './addresses.ts'
import { Charts, firstHour, type Hour, hoursOf } from './chart.tsx'
import { respond } from './frame.tsx'
import { Action, Count, Facts, Time, Words } from './parts.tsx'
import { codeWords, list, MEANINGS, STATES } from './words.ts'

export async function showOverview(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const now = Date.now()
  const [known, { points }, parked, reasons] = await Promise.all([
    status(services),
    activity(services, { step: 'hour', from: firstHour(now) }),
    causes(services),
    services.health.reasons(),
  ])
  const { pending, hold } = known
  const letsIn = services.config.webhookKeys.length > 0
  const said = sentences({ reasons, pending, hold, letsIn })
  return respond(
    c,
    { title: said[0]?.title ?? '', place: '/admin', refreshes: true },
    <Overview
      status={known}
      sentences={said}
      hours={hoursOf(points, known, now)}
      causes={parked.causes}
      now={toIso(now)}
    />,
  )
}

export type Situation = {
  reasons: readonly HealthReason[]
  pending: number
  hold: { reason: string; since: string } | null
  /** Whether there is a usable webhook key. */
  letsIn: boolean
}

export type Sentence = {
  tone: 'ok' | 'warn' | 'bad'
  title: string
  meaning: string
  action: string
  since: string | null
}

/** What matters most comes first. There is always one. */
export function sentences({ reasons, pending, hold, letsIn }: Situation): Sentence[] {
  const waiting = pending === 0 ? 'Nothing is waiting.' : `${count(pending, 'event')} waiting.`
  const found: Sentence[] = []
  const say = (sentence: Partial<Sentence> & Pick<Sentence, 'tone' | 'title'>) =>
    found.push({ meaning: '', action: '', since: null, ...sentence })
  if (reasons.includes('storage')) say({ tone: 'bad', ...STORAGE })
  if (!letsIn) say({ tone: 'bad', ...adviceFor(NO_KEY), meaning: 'Webhooks are answered 503.' })
  if (hold?.reason === 'paused') {
    say({
      tone: 'warn',
      title: `Relaying is paused. ${waiting}`,
      meaning: STORED,
      action: 'Resume when what it was paused for is done.',
      since: hold.since,
    })
  } else if (hold) {
    const { title, action } = adviceFor(hold.reason)
    say({ tone: 'bad', title: `${title}. ${waiting}`, meaning: STORED, action, since: hold.since })
  } else if (reasons.includes('upstream')) {
    say({
      tone: 'warn',
      title: `AEP does not take events at the moment. ${waiting}`,
      meaning: 'Webhooks are still taken and stored; they are tried again, and nothing is lost.',
      action: OUTAGE_ENDS,
    })
  }
  if (reasons.includes('expiring')) {
    say({
      tone: 'bad',
      title: 'Stored events will be erased soon, for their age',
      meaning: EXPIRING_MEANING,
      action:
        'Redrive what can be sent, end the hold, or raise RETENTION_DAYS and run `npm run deploy`.',
    })
  }
  if (found.length === 0) say({ tone: 'ok', title: `Relaying. ${waiting}` })
  return found
}

type Status = Answer<'status'>

type OverviewProps = {
  status: Status
  sentences: readonly Sentence[]
  hours: readonly Hour[]
  causes: Answer<'causes'>['causes']
  now: string
}

function Overview({ status, sentences, hours, causes, now }: OverviewProps) {
  const paused = status.hold?.reason === 'paused'
  return (
    <>
      {sentences.map((sentence, index) => (
        <State sentence={sentence} isFirst={index === 0} />
      ))}
      <div class="row">
        {paused ? (
          <Action does="resume" look="main">
            Resume relaying
          </Action>
        ) : (
          <Action does="pause">Pause relaying</Action>
        )}
        {status.hold && !paused && <Action does="resume">Try again now</Action>}
        <span class="soft">
          As of <Time at={now} />.
          {status.nextAttemptAt && (
            <>
              {' '}
              Next attempt <Time at={status.nextAttemptAt} />.
            </>
          )}
          {status.oldestPendingAt && (
            <>
              {' '}
              The oldest that waits came <Time at={status.oldestPendingAt} />.
            </>
          )}
        </span>
      </div>
      <Causes causes={causes} />
      <Ledger status={status} />
      <Charts hours={hours} />
      <Keys keys={status.keys} />
    </>
  )
}

function State({ sentence, isFirst }: { sentence: Sentence; isFirst: boolean }) {
  const { tone, title, meaning, action, since } = sentence
  return (
    <section class={`card ${tone}`}>
      {isFirst ? <h1>{title}</h1> : <h2>{title}</h2>}
      {since && (
        <p>
          It began <Time at={since} />.
        </p>
      )}
      {meaning && <p>{meaning}</p>}
      {action && (
        <p>
          <b>What to do:</b> <Words of={action} />
        </p>
      )}
    </section>
  )
}

/** Counted each for itself, and added up here: a person can check it. */
function Ledger({ status }: { status: Status }) {
  const { accepted, delivered, pending, dead, quarantined, erased } = status
  const ends = [delivered, pending, dead, quarantined, erased]
  const sum = ends.reduce((all, each) => all + each, 0)
  const link = (state: keyof typeof STATES, number: number) => (
    <a
      href={href('/admin/ui/events', { state })}
      aria-label={`${number.toLocaleString('en-US')} ${STATES[state].toLowerCase()}`}
    >
      <Count of={number} />
    </a>
  )
  return (
    <section aria-labelledby="ledger">
      <h2 id="ledger">The ledger of what was stored</h2>
      <Facts
        joints={['=', '+', '+', '+', '+']}
        of={[
          ['Accepted', <Count of={accepted} />],
          [STATES.delivered, <Count of={delivered} />],
          [STATES.pending, link('pending', pending)],
          [STATES.dead, link('dead', dead)],
          [STATES.quarantined, link('quarantined', quarantined)],
          ['Erased', <Count of={erased} />],
        ]}
      />
      <p class={sum === accepted ? 'soft' : 'card bad'}>
        {sum === accepted ? 'It balances: ' : 'It does not balance: '}
        {ends.map((each) => each.toLocaleString('en-US')).join(' + ')} ={' '}
        {sum.toLocaleString('en-US')}. Beside it at least {count(status.forwarded, 'event')} went
        straight through to AEP, and {count(status.suppressed, 'event')} of suppressed people were
        dropped. All since the first deployment.
      </p>
    </section>
  )
}

function Keys({ keys }: { keys: Status['keys'] }) {
  return (
    <details>
      <summary>Webhook keys: {keys.length}</summary>
      <ul>
        {keys.map(({ fingerprint, name, lastUsedAt }) => (
          <li>
            <code>{fingerprint}</code> {name && `(${name}) `}
            {lastUsedAt ? (
              <>
                last used <Time at={lastUsedAt} />
              </>
            ) : (
              'not used yet'
            )}
          </li>
        ))}
      </ul>
      <p class="soft">
        The first six digits of each key’s SHA-256. A key that is no longer used can be retired.
      </p>
    </details>
  )
}

/** What was refused, grouped by what it has in common, with the two things to do about it. */
function Causes({ causes }: { causes: Answer<'causes'>['causes'] }) {
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">Problems by cause</h2>
      {causes.length === 0 && <p>None: no event is dead or quarantined.</p>}
      {causes.map((cause) => (
        <CauseCard cause={cause} />
      ))}
    </section>
  )
}

function CauseCard({ cause }: { cause: Answer<'causes'>['causes'][number] }) {
  const { state, code, path, firstAt, lastAt, kinds } = cause
  const filter = { state, code, path: path ?? NO_PATH }
  const matching = href('/admin/ui/events', filter)
  const number = cause.count.toLocaleString('en-US')
  return (
    <article class="card bad">
      <h3>
        {codeWords(code)}
        {path && (
          <>
            {' '}
            at <code>{path}</code>
          </>
        )}
      </h3>
      <p>
        {count(cause.count, `${STATES[state].toLowerCase()} event`)}: {list(kinds)}. First{' '}
        <Time at={firstAt} />, last <Time at={lastAt} />.
      </p>
      <p class="soft">{MEANINGS[state]}</p>
      <div class="row">
        <a class="b" href={matching}>
          See these {number}
        </a>
        <Action does="redrive" values={{ ...filter, dryRun: 1 }} back={matching}>
          Dry run
        </Action>
        <Action does="redrive" values={filter} back={matching}>
          Redrive these {number}
        </Action>
      </div>
    </article>
  )
}
