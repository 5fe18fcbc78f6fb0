/** `/admin/ui/events`: what came last, whatever became of it, and what is done with many at once. */

import * as v from 'valibot'
import { count, figure } from '../../alerts/words.ts'
import { STORED_KINDS } from '../../chatlio/kind.ts'
import { DAY_MS } from '../../limits.ts'
import { type AppContext, type Services, servicesOf } from '../../services.ts'
import { type Answer, COMMANDS, type Input } from '../api.ts'
import { checkQuery } from '../input.ts'
import { causes, events } from '../run/events.ts'
import { entryOf, status } from '../run/relay.ts'
import { href, type Values, withoutResult } from './addresses.ts'
import { withoutPast } from './event.tsx'
import { EVENTS, EventTable, shownOf } from './event-table.tsx'
import { badRequest, respond } from './frame.tsx'
import { type Entry, Progress, progressSeconds } from './log.tsx'
import { Action, Button, Choice, Field, Hidden } from './parts.tsx'
import { FindForm } from './person.tsx'
import { CODES, filterWords, MEANINGS, stateName } from './words.ts'

/** As the command takes it; and delivered ones alone, as an export does. */
const LISTING = v.object({
  ...COMMANDS.events.takes.entries,
  state: COMMANDS.export.takes.entries.state,
})

/** Without a state: all. */
export async function showEvents(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = withoutResult(new URL(c.req.url).searchParams)
  const redrive = Number(query.get('entry'))
  query.delete('entry')
  if (!query.get('state')) query.set('state', 'all')
  if (!query.get('order')) query.set('order', 'newest')
  const checked = checkQuery(LISTING, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { cursor, state } = checked.output
  const [page, matching, entry] = await Promise.all([
    events(services, checked.output),
    countOf(services, checked.output),
    redrive > 0 ? entryOf(services, redrive) : null,
  ])
  for (const name of ['cursor', 'order']) query.delete(name)
  const filter = Object.fromEntries([...query].filter(([, value]) => value)) as FilterValues
  const hasSources = services.config.webhookKeys.some(({ name }) => name !== null)
  return respond(
    c,
    { title: titleOf(state), place: EVENTS, refreshes: progressSeconds(entry) },
    <Events
      {...page}
      events={page.events.map(withoutPast)}
      {...{ filter, matching, entry, hasSources }}
      isFirst={cursor === undefined}
      receiptDays={services.config.receiptMs / DAY_MS}
    />,
  )
}

type Filter = Input<'export'>

/** From the ledger and the causes, without reading events; `null` for a filter that these cannot answer. */
export async function countOf(services: Services, filter: Filter): Promise<number | null> {
  const { state, kind, code, path, day, source, id } = filter
  if (state === 'delivered' || state === 'all') return null
  if ([day, source, id].some((each) => each !== undefined)) return null
  if (state === 'pending') {
    const isAll = [kind, code, path].every((each) => each === undefined)
    return isAll ? (await status(services)).pending : null
  }
  return (await causes(services)).causes
    .filter(
      (cause) =>
        cause.state === state &&
        (code === undefined || cause.code === code) &&
        (path === undefined || cause.path === path),
    )
    .reduce((sum, { count, kinds }) => sum + (kind ? (kinds[kind] ?? 0) : count), 0)
}

/** As in the address. */
type FilterValues = { state: keyof typeof MEANINGS } & {
  [Name in 'kind' | 'code' | 'path' | 'day' | 'source' | 'id']?: string
}

type EventsProps = Answer<'events'> & {
  filter: FilterValues
  /** How many match; `null`: not known without reading them all. */
  matching: number | null
  /** Whether these are the first. */
  isFirst: boolean
  /** A redrive that is being watched. */
  entry: Entry | null
  /** Whether keys have names. */
  hasSources: boolean
  receiptDays: number
}

const titleOf = (state: FilterValues['state']) =>
  state === 'all' ? 'Events' : `${stateName(state)} events`
const named = (names: readonly string[], words = (name: string) => name) =>
  Object.fromEntries(names.map((name) => [name, words(name)]))
const LISTED = named(Object.keys(MEANINGS), stateName as (name: string) => string)
const KINDS = named(STORED_KINDS)
const SOME = 'some'

const LEAVES_RECEIPTS: ReadonlySet<string> = new Set(['all', 'delivered'])
const receiptsOf = (days: number) =>
  days > 0
    ? `Of delivered events a receipt is left for ${count(days, 'day')}.`
    : 'Delivered events leave no receipt.'

function Events(props: EventsProps) {
  const { filter, events, cursor, matching, isFirst, entry } = props
  const { state } = filter
  const [isShown, isNarrowed] = [events.length > 0, Object.keys(filter).length > 1]
  const isParked = state === 'dead' || state === 'quarantined'
  return (
    <>
      <h1>{titleOf(state)}</h1>
      <p class="soft">
        {MEANINGS[state]} {LEAVES_RECEIPTS.has(state) && receiptsOf(props.receiptDays)}
      </p>
      {entry && <Progress entry={entry} link />}
      <Filters filter={filter} hasSources={props.hasSources} />
      {isShown && (isParked || (state === 'pending' && isNarrowed)) && (
        <Bulk filter={filter} matching={matching} redrives={isParked} />
      )}
      {events.length === 0 && cursor === null ? (
        <p>{emptyText(filter, isFirst)}</p>
      ) : (
        <EventTable
          caption={shownOf(events.length, matching, cursor !== null)}
          events={events}
          form={SOME}
        />
      )}
      {isShown && <Ticked state={state} back={href(EVENTS, filter)} />}
      <p class="row">
        {!isFirst && <a href={href(EVENTS, filter)}>Back to the newest</a>}
        {cursor && <a href={href(EVENTS, { ...filter, cursor })}>Older</a>}
        {(events.length > 0 || cursor) && (
          <a href={href('/admin/ui/export', filter)} download={`${state}.ndjson`}>
            Export all that match (NDJSON, with payloads)
          </a>
        )}
      </p>
    </>
  )
}

function Filters({ filter, hasSources }: { filter: FilterValues; hasSources: boolean }) {
  const { state, kind, code, path, day, source, id } = filter
  const { state: _, ...narrower } = filter
  return (
    <>
      <form class="row" action={EVENTS}>
        <Choice label="State" name="state" value={state} options={LISTED} />
        <Choice label="Kind" name="kind" value={kind} any="any kind" options={KINDS} />
        <Choice label="Why" name="code" value={code} any="any reason" options={CODES} />
        {(hasSources || source) && (
          <Field label="Source" name="source" value={source} placeholder="any" />
        )}
        <Field label="Received (UTC)" name="day" type="date" value={day?.slice(0, 10)} />
        <Field label="Id begins with" name="id" value={id} />
        {path && <Hidden values={{ path }} />}
        <Button>Filter</Button>
      </form>
      <details>
        <summary>By person or conversation</summary>
        <FindForm />
      </details>
      {Object.keys(narrower).length > 0 && (
        <p class="row">
          {Object.entries(narrower).map(([name, value]) => (
            <a
              href={href(EVENTS, { ...filter, [name]: undefined })}
              aria-label={`Without ${filterWords(name, value)}`}
            >
              {filterWords(name, value)} ✕
            </a>
          ))}
          {state !== 'all' && <a href={href(EVENTS, { state })}>All {state}</a>}
        </p>
      )}
    </>
  )
}

function emptyText({ state, ...narrower }: FilterValues, isFirst: boolean): string {
  if (!isFirst) return 'There are no more.'
  if (state === 'all' && Object.keys(narrower).length === 0) return 'No webhook has come yet.'
  return `No event matches: nothing is ${state === 'all' ? 'like this' : state} here.`
}

/** What can be done with some of them: a receipt can only be exported, and what is pending is sent anyway. */
function Ticked({ state, back }: { state: FilterValues['state']; back: string }) {
  const isMixed = state === 'all'
  return (
    <form id={SOME} class="row" action="/admin/ui/export">
      {/* So that nothing ticked is not everything. */}
      <Hidden values={{ state, ids: '' }} />
      {state !== 'pending' && state !== 'delivered' && (
        <button
          type="submit"
          name="back"
          value={back}
          formaction="/admin/ui/redrive"
          formmethod="post"
        >
          Redrive ticked
        </button>
      )}
      {state !== 'delivered' && (
        <button type="submit" name="back" value={back} class="no" formaction="/admin/ui/delete">
          Delete ticked…
        </button>
      )}
      <Button>Export ticked</Button>
      {isMixed && (
        <small>
          Redriving takes the dead and quarantined of them, deleting what is stored, exporting all.
        </small>
      )}
    </form>
  )
}

type BulkProps = { filter: Values; matching: number | null; redrives: boolean }

/** Acts on every match, shown or not. */
function Bulk({ filter, matching, redrives }: BulkProps) {
  const back = href(EVENTS, filter)
  const all = matching === null ? 'all that match' : figure(matching)
  return (
    <div class="row">
      {redrives && (
        <>
          <Action does="redrive" values={filter} back={back} look="main">
            Redrive {all}
          </Action>
          <Action does="redrive" values={{ ...filter, dryRun: 1 }} back={back}>
            Dry run
          </Action>
        </>
      )}
      <a class="b no" href={href('/admin/ui/delete', filter)}>
        Delete {all}…
      </a>
    </div>
  )
}
