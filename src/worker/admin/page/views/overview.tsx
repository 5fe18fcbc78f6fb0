/** The overview: how things are, what to do, the ledger, the last 24 hours, problems by cause. */
import { count } from '../../../alerts/words.ts'
import type { CauseView } from '../../operations/causes.ts'
import type { readStatus } from '../../operations/status.ts'
import { Causes } from './causes.tsx'
import { Charts } from './chart.tsx'
import type { Hour } from './hours.ts'
import { STATES } from './labels.ts'
import { Action, Count, Facts, href, Time, Words } from './parts.tsx'
import type { Sentence } from './state.ts'

type Status = Awaited<ReturnType<typeof readStatus>>

export type OverviewProps = {
  status: Status
  sentences: readonly Sentence[]
  hours: readonly Hour[]
  causes: readonly CauseView[]
  now: string
}

export function Overview({ status, sentences, hours, causes, now }: OverviewProps) {
  const paused = status.hold?.reason === 'paused'
  return (
    <>
      {sentences.map((sentence, index) => (
        <State sentence={sentence} isFirst={index === 0} />
      ))}
      <div class="row">
        {paused ? (
          <Action to="/ui/resume" look="main">
            Resume relaying
          </Action>
        ) : (
          <Action to="/ui/pause">Pause relaying</Action>
        )}
        {status.hold && !paused && <Action to="/ui/resume">Try again now</Action>}
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
    <a href={href('/admin/ui/events', { state })}>
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
        {keys.map(({ fingerprint, lastUsedAt }) => (
          <li>
            <code>{fingerprint}</code>{' '}
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
