/** The operators' log, one entry of it, and what has become of the events of a redrive. */
import { figure } from '../../alerts/words.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { COMMANDS } from '../api.ts'
import { checkQuery } from '../input.ts'
import { entriesOf, entryOf } from '../run/relay.ts'
import { href } from './addresses.ts'
import { badRequest, respond, respondFault } from './frame.tsx'
import { Table, TimeCell } from './parts.tsx'
import { filterWords, list } from './words.ts'

const LOG = '/admin/ui/log'

export type Entry = NonNullable<Awaited<ReturnType<typeof entryOf>>>

export async function showLog(c: AppContext): Promise<Response> {
  const query = checkQuery(COMMANDS.log.takes, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(c, query.detail)
  const { entries, cursor } = await entriesOf(servicesOf(c.env), query.output)
  return respond(c, { title: 'Log', place: LOG }, <Log entries={entries} cursor={cursor} />)
}

export async function showEntry(c: AppContext): Promise<Response> {
  const entry = await entryOf(servicesOf(c.env), Number(c.req.param('entry')) || 0)
  if (!entry) return respondFault(c, 404, 'No such entry', 'Entries are kept for 90 days.')
  return respond(
    c,
    { title: 'Log', place: LOG, refreshes: progressSeconds(entry) },
    <>
      <h1>What an operator did</h1>
      <Entries of={[entry]} caption={`Entry ${entry.position}`} />
      <Progress entry={entry} />
      <p>
        <a href={LOG}>The whole log</a>
      </p>
    </>,
  )
}

/** How often the page refreshes while some are pending, in seconds. */
export const progressSeconds = (entry: Entry | null) =>
  (entry?.progress?.pending ?? 0) > 0 ? 3 : undefined

/** Nothing, where nothing was redriven. `link`: to the entry in the log. */
export function Progress({ entry, link }: { entry: Entry; link?: boolean }) {
  const { position, counts, progress } = entry
  if (!progress) return null
  const { pending, dead, quarantined, gone, someErased } = progress
  const watched = pending + dead + quarantined + gone
  const { redriven = watched } = counts
  return (
    <p class="card">
      Of {watched < redriven && `the first ${figure(watched)} of `}
      {figure(redriven)} redriven:{' '}
      <b>
        {figure(gone)} accepted{someErased && ' or erased since'}, {figure(dead + quarantined)}{' '}
        refused again, {figure(pending)} pending
      </b>
      . {link && <a href={`${LOG}/${position}`}>In the log</a>}
    </p>
  )
}

type Listed = Awaited<ReturnType<typeof entriesOf>>

function Log({ entries, cursor }: Listed) {
  return (
    <>
      <h1>What operators did</h1>
      {entries.length === 0 ? (
        <p>Nothing in the last 90 days.</p>
      ) : (
        <Entries of={entries} caption="The newest first, for 90 days" />
      )}
      {cursor && (
        <p>
          <a href={href(LOG, { cursor })}>Older</a>
        </p>
      )}
    </>
  )
}

function Entries({ of, caption }: { of: Listed['entries']; caption: string }) {
  return (
    <Table caption={caption} heads={['When (UTC)', 'Who', 'What', 'To what', 'How many']} tight>
      {of.map(({ position, at, by, action, counts, filter }) => (
        <tr>
          <TimeCell at={at} bare />
          <td>{by === 'token' ? 'admin token' : by}</td>
          <th scope="row">
            <a href={`${LOG}/${position}`}>{action.replaceAll('-', ' ')}</a>
          </th>
          <td>
            {Object.entries(filter)
              .map(([name, value]) => filterWords(name, value))
              .join(', ')}
          </td>
          <td>{list(counts)}</td>
        </tr>
      ))}
    </Table>
  )
}
