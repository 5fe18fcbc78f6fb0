/** The overview: how things are, what to do, the ledger, the last 24 hours, problems by cause. */
import { ALERTS, type LandedFacts } from '../../alerts/alerts.ts'
import {
  adviceFor,
  count,
  EXPIRING_MEANING,
  NO_KEY,
  notLanded,
  OUTAGE_ENDS,
  STORAGE,
  STORED,
  TURNED_AWAY,
  TURNED_AWAY_ACTION,
} from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { HealthReason } from '../../http/health.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { causes } from '../run/events.ts'
import { daysOf } from '../run/history.ts'
import { activity, alerts, status } from '../run/relay.ts'
import { href } from './addresses.ts'
import { Charts, firstHour, type Hour, hoursOf } from './chart.tsx'
import { respond } from './frame.tsx'
import { Action, Count, Facts, Table, Time, Words } from './parts.tsx'
import { codeWords, howLong, list, STATES } from './words.ts'

export async function showOverview(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { config, rim } = services
  const now = rim.now()
  const [known, { points }, parked, reasons, states, week, landed] = await Promise.all([
    status(services),
    activity(services, { step: 'hour', from: firstHour(now) }),
    causes(services),
    services.health.reasons(),
    alerts(services),
    daysOf(services, 2),
    config.readAccess.available ? services.outbox().landed() : null,
  ])
  const { pending, hold, dead, quarantined } = known
  const need = dead + quarantined
  const used = known.keys.some(({ lastUsedAt }) => lastUsedAt !== null)
  const said = sentences({
    reasons,
    pending,
    hold,
    need,
    letsIn: config.webhookKeys.length > 0,
    firing: states.alerts.filter(({ state }) => state === 'firing'),
    hasCome: used || known.accepted + known.forwarded > 0,
    alertsGo: config.alerts.webhook !== null,
    landed,
  })
  return respond(
    c,
    {
      title: `${need > 0 ? `(${need}) ` : ''}${said[0]?.title ?? ''}`,
      place: '/admin',
      refreshes: true,
    },
    <Overview
      status={known}
      sentences={said}
      hours={hoursOf(points, known, now)}
      causes={parked.causes}
      yesterday={week[1] ?? null}
      now={toIso(now)}
    />,
  )
}

type Firing = Pick<Answer<'alerts'>['alerts'][number], 'name' | 'since'>

export type Situation = {
  reasons: readonly HealthReason[]
  pending: number
  hold: { reason: string; since: string } | null
  /** Whether there is a usable webhook key. */
  letsIn: boolean
  /** Events that wait for a person. */
  need: number
  firing: readonly Firing[]
  /** Whether any webhook ever came. */
  hasCome: boolean
  /** Whether there is an address that alerts are sent to. */
  alertsGo: boolean
  /** What AEP's own counts say; `null`: they are not read. */
  landed: LandedFacts | null
}

export type Sentence = {
  tone: 'ok' | 'warn' | 'bad'
  title: string
  meaning: string
  action: string
  since: string | null
}

const NEED = 'The causes are below: correct them, then redrive.'
const NONE_YET =
  'Paste the five URLs that `npm run deploy` printed into the Behavior tab of the widget’s settings, or post a test: `npm run verify`.'

/** What matters most comes first. There is always one, and it is green only when nothing is to be done. */
export function sentences(situation: Situation): Sentence[] {
  const { reasons, pending, hold, letsIn, need, firing, hasCome, alertsGo, landed } = situation
  const waiting = pending === 0 ? 'Nothing is waiting.' : `${count(pending, 'event')} waiting.`
  const person = `${count(need, 'event')} ${need === 1 ? 'needs' : 'need'} a person.`
  const found: Sentence[] = []
  const say = (sentence: Partial<Sentence> & Pick<Sentence, 'tone' | 'title'>) =>
    found.push({ meaning: '', action: '', since: null, ...sentence })
  for (const { name, since } of firing) {
    if (name !== 'lost' && name !== 'refused') continue
    const { label } = ALERTS[name]
    say({ tone: 'bad', title: label, since, meaning: TURNED_AWAY, action: TURNED_AWAY_ACTION })
  }
  const lacking = landed && notLanded(landed)
  if (lacking) say({ tone: 'bad', ...lacking })
  if (reasons.includes('storage')) say({ tone: 'bad', ...STORAGE })
  if (!letsIn) say({ tone: 'bad', ...adviceFor(NO_KEY), meaning: 'Webhooks are answered 503.' })
  if (hold && hold.reason !== 'paused') {
    const { title, action } = adviceFor(hold.reason)
    say({ tone: 'bad', title: `${title}. ${waiting}`, meaning: STORED, action, since: hold.since })
  } else if (!hold && reasons.includes('upstream')) {
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
  if (hold?.reason === 'paused') {
    if (need > 0) say({ tone: 'warn', title: person, action: NEED })
    say({
      tone: 'warn',
      title: `Relaying is paused. ${waiting}`,
      meaning: STORED,
      action: 'Resume when what it was paused for is done.',
      since: hold.since,
    })
  } else if (found.length > 0) {
    if (need > 0) say({ tone: 'warn', title: person, action: NEED })
  } else {
    const silence = firing.find(({ name }) => name === 'silence')
    const [also, action] =
      need > 0
        ? [person, NEED]
        : silence
          ? [`${ALERTS.silence.label}.`, NONE_YET]
          : hasCome
            ? ['', '']
            : ['No webhook has come yet.', NONE_YET]
    const told = need > 0 && pending === 0 ? also : [waiting, also].filter(Boolean).join(' ')
    const nowhere = alertsGo ? '' : ' Alerts go nowhere.'
    say({
      tone: also === '' && alertsGo ? 'ok' : 'warn',
      title: `Relaying. ${told}${nowhere}`,
      action: [action, alertsGo ? '' : 'Set the secret `ALERT_WEBHOOK_URL`.']
        .filter(Boolean)
        .join(' '),
      since: need > 0 ? null : (silence?.since ?? null),
    })
  }
  if (landed?.why) {
    const title = 'What AEP has kept is not known'
    say({ tone: 'warn', title, meaning: landed.why, action: 'Relaying goes on all the same.' })
  }
  return found
}

type Status = Answer<'status'>

type OverviewProps = {
  status: Status
  sentences: readonly Sentence[]
  hours: readonly Hour[]
  causes: Answer<'causes'>['causes']
  yesterday: Day | null
  now: string
}

function Overview({ status, sentences, hours, causes, yesterday, now }: OverviewProps) {
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
      <div class="desk">
        <Causes causes={causes} />
        <Ledger status={status} />
      </div>
      <Charts hours={hours} />
      {yesterday && <Yesterday day={yesterday} />}
      <Keys keys={status.keys} />
      <p>
        <a href="/admin/ui/support">What to send along when you ask for help</a> (JSON, without
        personal data)
      </p>
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

type Day = Awaited<ReturnType<typeof daysOf>>[number]

function Yesterday({ day }: { day: Day }) {
  const { received, inAep, refused, lost, late, slowestMs } = day
  return (
    <p>
      <b>Yesterday (UTC)</b>: {received.toLocaleString('en-US')} received ·{' '}
      {inAep.toLocaleString('en-US')} in AEP · {refused.toLocaleString('en-US')} refused ·{' '}
      {lost.toLocaleString('en-US')} lost · {late.toLocaleString('en-US')} late
      {slowestMs !== null && ` (the slowest ${howLong(slowestMs)})`}.{' '}
      <a href="/admin/ui/days">Seven days, by kind and source</a>
    </p>
  )
}

/** What was refused, grouped by what it has in common: a row each, with what to do about it. */
function Causes({ causes }: { causes: Answer<'causes'>['causes'] }) {
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">Problems by cause</h2>
      {causes.length === 0 ? (
        <p>None: no event is dead or quarantined.</p>
      ) : (
        <Table
          caption="Events that need a person"
          heads={['Cause', 'Events', 'First, last', 'To do']}
          tight
        >
          {causes.map((cause) => (
            <CauseRow cause={cause} />
          ))}
        </Table>
      )}
    </section>
  )
}

function CauseRow({ cause }: { cause: Answer<'causes'>['causes'][number] }) {
  const { state, code, path, firstAt, lastAt, kinds } = cause
  const filter = { state, code, path: path ?? NO_PATH }
  const matching = href('/admin/ui/events', filter)
  const number = cause.count.toLocaleString('en-US')
  return (
    <tr>
      <th scope="row">
        {codeWords(code)}
        {path && (
          <>
            {' '}
            at <code>{path}</code>
          </>
        )}
        <br />
        <small>{list(kinds)}</small>
      </th>
      <td class="n">
        <a href={matching} aria-label={`See these ${number}`}>
          {number}
        </a>
        <br />
        <small>{STATES[state].toLowerCase()}</small>
      </td>
      <td>
        <small>
          <Time at={firstAt} />
          <br />
          <Time at={lastAt} />
        </small>
      </td>
      <td class="acts">
        <Action does="redrive" values={filter} back={matching} look="main">
          Redrive these {number}
        </Action>{' '}
        <Action does="redrive" values={{ ...filter, dryRun: 1 }} back={matching}>
          Dry run
        </Action>
      </td>
    </tr>
  )
}
