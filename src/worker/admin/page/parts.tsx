/** Small parts that every view is made of. */
import type { Child, JSX } from 'hono/jsx'
import { count, moment } from '../../alerts/words.ts'
import type { Answer, CommandName } from '../api.ts'
import { formPath, given, PLACES, type Values } from './addresses.ts'
import { capitalized, codeWords, howLong, objection } from './words.ts'

type TimeProps = {
  at: string | null | undefined
  before?: string
  after?: string
  exact?: boolean
  bare?: boolean | undefined
}

/**
 * A moment with the words around it; nothing without a moment. `exact`: shown as it is, to the second, where the order of
 * things matters; `bare`: where a column says that it is UTC.
 */
export function Time({ at, before, after, exact, bare }: TimeProps) {
  if (!at) return null
  const seconds = at.slice(0, 19).replace('T', ' ')
  return (
    <>
      {before}
      <time datetime={at} data-exact={exact || bare || undefined}>
        {bare ? seconds : exact ? `${seconds} UTC` : moment(Date.parse(at))}
      </time>
      {after}
    </>
  )
}

/** What stands between backticks is code. */
export function Words({ of }: { of: string }) {
  return <>{of.split('`').map((part, index) => (index % 2 ? <code>{part}</code> : part))}</>
}

export function Hidden({ values }: { values: Values }) {
  return (
    <>
      {given(values).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
    </>
  )
}

type ButtonProps = JSX.IntrinsicElements['button'] & {
  look?: 'main' | 'no' | 'plain' | undefined
}

export const Button = ({ look, ...button }: ButtonProps) => (
  <button type="submit" class={look} {...button} />
)

/** Where the form of a command goes; `back`: the page that then says what it did, without it the overview. */
type ActionProps = Pick<ButtonProps, 'look' | 'children'> & {
  does: CommandName
  values?: Values
  back?: string
  /** Milliseconds after which the page does it by itself. */
  after?: number
}

/** One button that runs a command. */
export function Action({ does, values = {}, back, look, after, children }: ActionProps) {
  const route = formPath(does)
  const path = route.replace('{id}', encodeURIComponent(String(values.id)))
  // What stands in the path is no field.
  const id = path === route ? values.id : undefined
  return (
    <form method="post" action={`/admin${path}`} data-after={after}>
      <Hidden values={{ ...values, id, back }} />
      <Button look={look}>{children}</Button>
    </form>
  )
}

type FieldProps = JSX.IntrinsicElements['input'] & { label: string; name: string }

export function Field({ label, ...input }: FieldProps) {
  return (
    <label>
      {label}
      <input autocomplete="off" {...input} />
    </label>
  )
}

type ChoiceProps = {
  label: string
  name: string
  value?: string | undefined
  any?: string
  options: Readonly<Record<string, string>>
}

export function Choice({ label, name, value, any, options }: ChoiceProps) {
  return (
    <label>
      {label}
      <select name={name}>
        {any && <option value="">{any}</option>}
        {Object.entries(options).map(([key, text]) => (
          <option value={key} selected={key === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}

/** What scrolls must be reached without a mouse. */
const BY_KEYBOARD = { tabindex: 0 }

/** Its head, what it says of a row, and the classes of its cells: `n` for figures, whose head stands above them. */
export type Column<Row> = readonly [
  head: string,
  cell: (row: Row) => Child,
  classes?: string | ((row: Row) => string | undefined),
]

/**
 * `by`: the column that names a row. `tight`: of low rows, which are lines of text on a phone; `flat`: and stay rows there,
 * since their figures say nothing without heads; `even`: with the columns of its neighbours.
 */
type TableProps<Row> = {
  caption: string
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  by?: string
  look?: 'loose' | 'tight' | 'tight flat' | 'tight even'
}

/** A table that scrolls by itself where it does not fit. */
export function Table<Row>({ caption, rows, columns, by, look = 'tight' }: TableProps<Row>) {
  return (
    <section class="scroll" aria-label={caption} {...BY_KEYBOARD}>
      <table class={look === 'loose' ? undefined : look}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map(([head, , classes]) => (
              <th scope="col" class={/^n\b/.test(String(classes)) ? 'n' : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {columns.map(([head, cell, given]) => {
                const classes = typeof given === 'function' ? given(row) : given
                if (head !== by) return <td class={classes}>{cell(row)}</td>
                return (
                  <th scope="row" class={classes}>
                    {cell(row)}
                  </th>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** Terms and what they are, in equal columns. */
export function Facts({ of }: { of: readonly (readonly [string, Child])[] }) {
  return (
    <dl class="eq">
      {of.map(([term, value]) => (
        <div>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

type EventTableProps = Answer<'events'> & {
  /** Epoch milliseconds. */
  now: number
  /** How many match; `null`: not known without reading them all. */
  matching: number | null
  /** The form that ticked ones go with; absent: none are ticked. */
  form?: string
}

/** Events as rows: what differs stands in columns of its own. */
export function EventTable({ events, cursor, now, matching, form }: EventTableProps) {
  const tick: Column<Shown> = [
    'Tick',
    ({ id }) => (
      <input type="checkbox" name="ids" value={id} form={form} aria-label={`Tick ${short(id)}`} />
    ),
  ]
  const columns = form ? [tick, ...EVENT] : EVENT
  const of = matching === null ? '' : ` of ${count(matching, 'event')}`
  const caption = `${events.length}${of} shown, the newest first${cursor ? '; older ones follow' : ''}`
  const rows = events.map((event) => {
    return { ...event, nextAttemptAt: toCome(event.nextAttemptAt, now) }
  })
  return <Table caption={caption} rows={rows} columns={columns} by="Event" />
}

type Shown = Answer<'events'>['events'][number]

const EVENT: readonly Column<Shown>[] = [
  ['Received (UTC)', ({ receivedAt }) => <Time at={receivedAt} bare />, 'at'],
  [
    'State',
    ({ state }) =>
      NEEDS_PERSON.has(state) ? <mark>{capitalized(state)}</mark> : capitalized(state),
  ],
  ['Kind', ({ kind, source }) => [kind, source && <small> · {source}</small>]],
  ['Event', ({ id }) => <EventLink id={id} />, 'at'],
  ['Why, or how', (event) => <Why event={event} />],
  ['Attempts', ({ attempts }) => attempts, 'n wide'],
]

/** These a person looks for in a list of all. */
const NEEDS_PERSON: ReadonlySet<string> = new Set(['dead', 'quarantined', 'failed'])

const short = (id: string) => id.slice(0, 8)

export function EventLink({ id }: { id: string }) {
  return (
    <a href={`${PLACES.events}/${id}`} title={id}>
      <code>{short(id)}</code>
    </a>
  )
}

/** The latest error, or how and how fast the event was delivered; and why AEP refused it after it had accepted it. */
function Why({ event }: { event: Shown }) {
  const { lastError, nextAttemptAt, receivedAt, settledAt, via, failedAt, code, pointer } = event
  const words = lastError ? codeWords(lastError.code) : ''
  const message = lastError?.message.replace(/^AEP answered /, '') ?? ''
  const took = settledAt ? howLong(Date.parse(settledAt) - Date.parse(receivedAt)) : ''
  return (
    <>
      {words}{' '}
      <small>
        {message.toLowerCase() !== words.toLowerCase() && message}
        {took && `${via === 'forwarded' ? 'forwarded' : 'from the outbox'}, ${took}`}
        <Time before=" · next due " at={nextAttemptAt} />
      </small>
      {failedAt && <> AEP refused it afterwards: {objection(code, pointer)}</>}
    </>
  )
}

/** While AEP fails or is on hold, an event's own time for the next attempt passes, and says nothing any more. */
export const toCome = (at: string | null, now: number) => (at && Date.parse(at) > now ? at : null)
