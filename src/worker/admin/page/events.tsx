/**
 * Lists of events: what came last, whatever became of it, and what is done with many at once; the question before events are
 * deleted, which names them and needs no script; and finding those of a person, who comes in a form and stands in no address.
 */
import * as v from 'valibot'
import { count, figure } from '../../alerts/words.ts'
import { STORED_KINDS } from '../../chatlio/kind.ts'
import { DAY_MS } from '../../limits.ts'
import { type AppContext, type Services, servicesOf } from '../../services.ts'
import { COMMANDS } from '../api.ts'
import { checkForm, checkQuery, readForm } from '../input.ts'
import { deleteMatching, events, eventWithBody, type listFilter } from '../run/events.ts'
import { find } from '../run/people.ts'
import { entryOf } from '../run/relay.ts'
import { given, href, ownPage, PLACES, wholeIn, withoutResult } from './addresses.ts'
import { PERSON } from './erase.tsx'
import { badRequest, respond } from './frame.tsx'
import { Action, Button, Choice, EventTable, Field, Hidden } from './parts.tsx'
import { Progress, progressSeconds } from './records.tsx'
import { CODES, capitalized, filterWords, MEANINGS, type State } from './words.ts'

/** As the command takes it; and delivered ones alone, as an export does. */
const LISTING = v.object({
  ...COMMANDS.events.takes.entries,
  state: COMMANDS.export.takes.entries.state,
})

/** As in the address. */
type Filter = { state: keyof typeof MEANINGS } & Readonly<Partial<Record<string, string>>>

const filterIn = (query: URLSearchParams) =>
  Object.fromEntries(
    [...query].filter(([name, value]) => value && !['cursor', 'order', 'ids'].includes(name)),
  ) as Filter

/** Without a state: all. */
export async function showEvents(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { webhookKeys, receiptMs } = services.config
  const query = withoutResult(new URL(c.req.url).searchParams)
  const redrive = wholeIn(query, 'entry')
  query.delete('entry')
  if (!query.get('state')) query.set('state', 'all')
  if (!query.get('order')) query.set('order', 'newest')
  const checked = checkQuery(LISTING, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { state } = checked.output
  const [page, matching, entry] = await Promise.all([
    events(services, checked.output),
    countOf(services, checked.output),
    redrive > 0 ? entryOf(services, redrive) : null,
  ])
  const filter = filterIn(query)
  const title = state === 'all' ? 'Events' : `${capitalized(state)} events`
  const isFirst = checked.output.cursor === undefined
  const isShown = page.events.length > 0
  const receipts =
    receiptMs > 0
      ? `Of delivered events a receipt is left for ${count(receiptMs / DAY_MS, 'day')}.`
      : 'Delivered events leave no receipt.'
  return respond(
    c,
    { title, place: 'events', refreshes: progressSeconds(entry) },
    <>
      <h1>{title}</h1>
      <p class="soft">
        {MEANINGS[state]} {(state === 'all' || state === 'delivered') && receipts}
      </p>
      {entry && <Progress entry={entry} link />}
      <Filters filter={filter} hasSources={webhookKeys.some(({ name }) => name !== null)} />
      {isShown && <Bulk filter={filter} matching={matching} />}
      {isShown || page.cursor ? (
        <EventTable {...page} now={services.rim.now()} matching={matching} form={SOME} />
      ) : (
        <p>{emptyText(filter, isFirst)}</p>
      )}
      {isShown && <Ticked state={state} back={href(PLACES.events, filter)} />}
      <p class="row">
        {!isFirst && <a href={href(PLACES.events, filter)}>Back to the newest</a>}
        {page.cursor && <a href={href(PLACES.events, { ...filter, cursor: page.cursor })}>Older</a>}
        {(isShown || page.cursor) && (
          <a href={href('/admin/ui/export', filter)} download={`${state}.ndjson`}>
            Export all that match (NDJSON, with payloads)
          </a>
        )}
      </p>
    </>,
  )
}

/** From the ledger and the causes, without reading events; `null` for a filter that these cannot answer. */
async function countOf(
  { outbox }: Services,
  { state, kind, code, path, day, source, id }: Parameters<typeof listFilter<State>>[0],
): Promise<number | null> {
  const isOneGiven = (...given: unknown[]) => given.some((each) => each !== undefined)
  if (state === 'delivered' || state === 'all' || isOneGiven(day, source, id)) return null
  if (state === 'pending') {
    return isOneGiven(kind, code, path) ? null : (await outbox().status()).pending
  }
  const rows = (await outbox().causes()).filter(
    (row) =>
      row.state === state &&
      (kind ?? row.kind) === row.kind &&
      (code ?? row.code) === row.code &&
      (path === undefined || (path ?? '') === row.path),
  )
  return rows.reduce((sum, { count }) => sum + count, 0)
}

const named = (names: readonly string[], words: (name: string) => string) =>
  Object.fromEntries(names.map((name) => [name, words(name)]))
const STATES = named(Object.keys(MEANINGS), capitalized)
const KINDS = named(STORED_KINDS, String)

function Filters({ filter, hasSources }: { filter: Filter; hasSources: boolean }) {
  const { state, ...narrower } = filter
  const { kind, code, path, day, source, id } = narrower
  const narrowing = given(narrower)
  return (
    <>
      <form class="row" action={PLACES.events}>
        <Choice label="State" name="state" value={state} options={STATES} />
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
        <FindForm sought={{}} />
      </details>
      {narrowing.length > 0 && (
        <p class="row">
          {narrowing.map(([name, value]) => (
            <a
              href={href(PLACES.events, { ...filter, [name]: undefined })}
              aria-label={`Without ${filterWords([name, value])}`}
            >
              {filterWords([name, value])} ✕
            </a>
          ))}
          {state !== 'all' && <a href={href(PLACES.events, { state })}>All {state}</a>}
        </p>
      )}
    </>
  )
}

function emptyText({ state, ...narrower }: Filter, isFirst: boolean): string {
  if (!isFirst) return 'There are no more.'
  if (state === 'all' && Object.keys(narrower).length === 0) return 'No webhook has come yet.'
  return `No event matches: nothing is ${state === 'all' ? 'like this' : state} here.`
}

/** The form of the ticked ones. */
const SOME = 'some'

/** What can be done with some of them: a receipt can only be exported, and what is pending is sent anyway. */
function Ticked({ state, back }: { state: Filter['state']; back: string }) {
  return (
    <form id={SOME} class="row" action="/admin/ui/export">
      {/* So that nothing ticked is not everything. */}
      <Hidden values={{ state, ids: '' }} />
      {state !== 'pending' && state !== 'delivered' && (
        <Button name="back" value={back} formaction="/admin/ui/redrive" formmethod="post">
          Redrive ticked
        </Button>
      )}
      {state !== 'delivered' && (
        <Button name="back" value={back} look="no" formaction="/admin/ui/delete">
          Delete ticked…
        </Button>
      )}
      <Button>Export ticked</Button>
      {state === 'all' && (
        <small>
          Redriving takes the dead and quarantined of them, deleting what is stored, exporting all.
        </small>
      )}
    </form>
  )
}

/** Acts on every match, shown or not. */
function Bulk({ filter, matching }: { filter: Filter; matching: number | null }) {
  const { state, ...narrower } = filter
  const redrives = state === 'dead' || state === 'quarantined'
  const isFew = state === 'pending' && Object.keys(narrower).length > 0
  if (!redrives && !isFew) return null
  const back = href(PLACES.events, filter)
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

/** Of one event by its id, whatever its state, of some by theirs, or of all that a filter matches. */
export async function confirmDelete(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = new URL(c.req.url).searchParams
  const one = query.get('event')
  const asked = one ? await deletionOfOne(services, one) : await deletionOfMany(services, query)
  if (typeof asked === 'string') return badRequest(c, asked)
  const { filter, matched, gone, back, form } = asked
  const { state, ...narrower } = filter
  const words = given(narrower).map(filterWords)
  return respond(
    c,
    { title: 'Delete', place: 'events' },
    <>
      <h1>Delete {count(matched, state === 'all' ? 'event' : `${state} event`)}?</h1>
      {gone > 0 && (
        <p>
          {figure(gone)} of the ticked ones {gone === 1 ? 'is' : 'are'}{' '}
          {state === 'all' ? 'not stored here' : `no longer ${state}`}.
        </p>
      )}
      {words.length > 0 && (
        <p>
          Filtered by <b>{words.join(', ')}</b>.
        </p>
      )}
      <p>
        What is deleted is erased here with its payload, and counted as erased. This cannot be
        undone.
      </p>
      <div class="row">
        {matched > 0 && (
          <Action {...form} look="no">
            Delete {count(matched, 'event')}
          </Action>
        )}
        <a href={back}>Cancel</a>
      </div>
    </>,
  )
}

async function deletionOfOne(services: Services, id: string) {
  const stored = await eventWithBody(services, id)
  const state = stored?.event.state ?? 'pending'
  return {
    filter: { state },
    matched: stored ? 1 : 0,
    gone: 0,
    back: stored ? `${PLACES.events}/${id}` : PLACES.events,
    form: { does: 'deleteEvent', values: { id }, back: href(PLACES.events, { state }) },
  } as const
}

/** `gone`: how many of the ticked ones are not among them. The text says what cannot be read. */
async function deletionOfMany(services: Services, query: URLSearchParams) {
  const from = query.get('back')
  query.delete('back')
  const checked = checkForm(COMMANDS.deleteMatching.takes, query)
  if (!checked.ok) return checked.detail
  const input = checked.output
  const { ids } = input
  const counted = ids ? null : await countOf(services, input)
  const matched = counted ?? (await deleteMatching(services, { ...input, dryRun: true })).matched
  const filter = filterIn(query)
  const back = from ? ownPage(from) : href(PLACES.events, filter)
  const form = { does: 'deleteMatching', values: { ...filter, ids }, back } as const
  return { filter, matched, gone: ids ? ids.length - matched : 0, back, form }
}

const FIND_BY = { ...PERSON, conversation: 'Conversation id', id: 'Event id' }

export async function showFind(c: AppContext): Promise<Response> {
  const form = c.req.method === 'POST' ? await readForm(c.req.raw) : null
  const checked = form && checkForm(COMMANDS.find.takes, form)
  if (checked && !checked.ok) return badRequest(c, checked.detail)
  const services = servicesOf(c.env)
  const found = checked && (await find(services, checked.output))
  const sought = Object.fromEntries(form ?? [])
  return respond(
    c,
    { title: 'Find', place: 'find' },
    <>
      <h1>Find</h1>
      <p class="soft">
        Events of every state, and receipts of delivered ones, also of those that went straight
        through.
      </p>
      <FindForm sought={sought} />
      {found && found.events.length === 0 && (
        <p>
          Nothing found. It never came, was erased, was delivered too long ago, or is of somebody
          who is suppressed: <a href={PLACES.erase}>Erase</a> shows, before it does anything,
          whether a person is.
        </p>
      )}
      {found && found.events.length > 0 && (
        <EventTable {...found} now={services.rim.now()} matching={null} />
      )}
      {found?.cursor && (
        <Action does="find" values={{ ...sought, cursor: found.cursor }}>
          Older
        </Action>
      )}
    </>,
  )
}

/** By POST, also from the list of events: who is looked for stands in no address. */
function FindForm({ sought: { by, value, day } }: { sought: Readonly<Record<string, string>> }) {
  return (
    <form class="row" method="post" action={PLACES.find}>
      <Choice label="By" name="by" value={by} options={FIND_BY} />
      <Field label="The whole, or 8 digits of an id" name="value" value={value} required />
      <Field label="Received (UTC), if known" name="day" type="date" value={day} />
      <Button look="main">Find</Button>
    </form>
  )
}
