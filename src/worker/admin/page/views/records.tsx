/** Drift, alerts, and the operators' log. */
import type { readAlerts, sendTestAlert } from '../../operations/alerts.ts'
import type { readDrift } from '../../operations/drift.ts'
import type { readLog } from '../../operations/log.ts'
import { list } from './labels.ts'
import { Action, Count, href, Table, Time } from './parts.tsx'

const CHANGES = { new: 'New field:', type: 'Other type:', gone: 'No longer sent' } as const

type DriftRows = Awaited<ReturnType<typeof readDrift>>['rows']

export function Drift({ rows }: { rows: DriftRows }) {
  const open = rows.filter(({ accepted }) => !accepted)
  const accepted = rows.filter((row) => row.accepted)
  return (
    <>
      <h1>What Chatlio sends, against what it documents</h1>
      <p class="soft">
        Names and types, never values. Unknown fields of valid events are relayed as they come;
        events that are no longer valid are in quarantine. Accept what is right: it raises no more
        alerts.
      </p>
      {open.length === 0 ? (
        <p>No difference is open.</p>
      ) : (
        <DriftTable caption={`${open.length} to look at`} rows={open} />
      )}
      {accepted.length > 0 && (
        <details>
          <summary>{accepted.length} accepted</summary>
          <DriftTable caption="Accepted" rows={accepted} />
        </details>
      )}
    </>
  )
}

function DriftTable({ caption, rows }: { caption: string; rows: DriftRows }) {
  return (
    <Table caption={caption} heads={['Field', 'Difference', 'Decision']}>
      {rows.map(({ kind, path, change, from, to, sample, count, lastAt, eventId, accepted }) => (
        <tr>
          <th scope="row">
            <code>{path}</code>
            <br />
            <small>{kind}</small>
          </th>
          <td>
            {CHANGES[change]}{' '}
            {change !== 'gone' && [from, sample ?? to].filter(Boolean).join(' → ')}
            <br />
            <small>
              <Count of={count} /> seen, last <Time at={lastAt} />.{' '}
              <a href={`/admin/ui/events/${eventId}`}>An event with it</a>
            </small>
          </td>
          <td>
            {accepted ? (
              'Accepted'
            ) : (
              <Action to="/ui/drift/accept" values={{ kind, path, change }}>
                Accept
              </Action>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}

const ALERTS = {
  hold: 'Relaying is on hold',
  'queue-age': 'Events wait too long',
  expiring: 'Events will be erased for their age',
  rejected: 'Events were refused',
  drift: 'Chatlio sends something else than documented',
  storage: 'The outbox does not answer',
} as const
const ALERT_STATES = { ok: 'Quiet', pending: 'About to fire', firing: 'Firing' } as const

type AlertsProps = Awaited<ReturnType<typeof readAlerts>> & {
  /** Whether an alert goes anywhere. */
  heard: boolean
  test: Awaited<ReturnType<typeof sendTestAlert>> | null
}

export function Alerts({ alerts, heard, test }: AlertsProps) {
  return (
    <>
      <h1>Alerts</h1>
      {test && (
        <p class={`card ${test.sent ? 'ok' : 'bad'}`} role="status">
          {test.sent ? 'The test alert was sent.' : `The test alert was not sent: ${test.error}.`}
        </p>
      )}
      {!heard && (
        <p class="card warn">
          Alerts go nowhere yet: set the secret <code>ALERT_WEBHOOK_URL</code>.
        </p>
      )}
      <Table caption="Looked at every five minutes" heads={['Alert', 'State', 'Last message']}>
        {alerts.map(({ name, state, since, lastSentAt, lastError }) => (
          <tr>
            <th scope="row">
              {ALERTS[name]}
              <br />
              <small>{name}</small>
            </th>
            <td>
              {ALERT_STATES[state]}
              {since && (
                <>
                  <br />
                  <small>
                    changed <Time at={since} />
                  </small>
                </>
              )}
            </td>
            <td>
              {lastSentAt ? <Time at={lastSentAt} /> : 'never'}
              {lastError && <mark> not sent: {lastError}</mark>}
            </td>
          </tr>
        ))}
      </Table>
      <div class="row">
        <Action to="/ui/alerts/test">Send a test alert</Action>
      </div>
    </>
  )
}

export function Log({ entries, cursor }: Awaited<ReturnType<typeof readLog>>) {
  return (
    <>
      <h1>What operators did</h1>
      {entries.length === 0 ? (
        <p>Nothing in the last 90 days.</p>
      ) : (
        <Table caption="The newest first, for 90 days" heads={['When', 'Who', 'What']}>
          {entries.map(({ at, by, action, counts }) => (
            <tr>
              <td>
                <Time at={at} exact />
              </td>
              <td>{by === 'token' ? 'admin token' : by}</td>
              <td>
                {action.replaceAll('-', ' ')} <small>{list(counts)}</small>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {cursor && (
        <p>
          <a href={href('/admin/ui/log', { cursor })}>Older</a>
        </p>
      )}
    </>
  )
}
