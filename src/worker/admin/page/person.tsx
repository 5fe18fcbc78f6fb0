/**
 * Find, erase, suppressions. An email or id of a person comes in a form and is answered in the page itself: an address with
 * it would stand in logs and in the browser's history.
 */
import { count } from '../../alerts/words.ts'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../../limits.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { operatorOf } from '../access.ts'
import { type Answer, COMMANDS } from '../api.ts'
import { checkForm, readForm } from '../input.ts'
import { find, suppressions } from '../run/people.ts'
import { run } from '../run/run.ts'
import { href, withResult } from './addresses.ts'
import { EventTable } from './events.tsx'
import { badRequest, respond, seeOther } from './frame.tsx'
import { Action, Button, Choice, Facts, Field, Hidden, Table, Time } from './parts.tsx'

const FIND = { title: 'Find', place: '/admin/ui/find' }
const ERASE = { title: 'Erase a person', place: '/admin/ui/erase' }
const SUPPRESSIONS = { title: 'Suppressed people', place: '/admin/ui/suppressions' }

export async function showFind(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') return respond(c, FIND, <Find sought={{}} found={null} />)
  const form = await readForm(c.req.raw)
  const checked = checkForm(COMMANDS.find.takes, form)
  if (!checked.ok) return badRequest(c, checked.detail)
  const found = await find(servicesOf(c.env), checked.output)
  return respond(c, FIND, <Find sought={Object.fromEntries(form)} found={found} />)
}

/** A form without `confirm` only counts. */
export async function showErase(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') {
    const done = c.req.query('done') === 'erase'
    return respond(c, ERASE, <Erase person={{}} matched={null} done={done} />)
  }
  const form = await readForm(c.req.raw)
  const dryRun = form.get('confirm') !== '1'
  form.delete('confirm')
  const checked = checkForm(COMMANDS.erase.takes, form)
  if (!checked.ok) return badRequest(c, checked.detail)
  const input = { ...checked.output, dryRun }
  const counts = await run(servicesOf(c.env), operatorOf(c), 'erase', input)
  if (!dryRun) return seeOther(withResult(ERASE.place, 'erase', counts, false))
  return respond(
    c,
    ERASE,
    <Erase person={Object.fromEntries(form)} matched={counts} done={false} />,
  )
}

export async function showSuppressions(c: AppContext): Promise<Response> {
  return respond(c, SUPPRESSIONS, <Suppressions {...(await suppressions(servicesOf(c.env)))} />)
}

const PERSON = { email: 'Email', visitor: 'Visitor id' }
const FIND_BY = { ...PERSON, conversation: 'Conversation id', id: 'Event id' }

type Sought = { by?: string; value?: string; day?: string }

function Find({ sought, found }: { sought: Sought; found: Answer<'find'> | null }) {
  const { by, value, day } = sought
  return (
    <>
      <h1>Find</h1>
      <p class="soft">
        Events of every state, and receipts of delivered ones, also of those that went straight
        through.
      </p>
      <form class="row" method="post" action="/admin/ui/find">
        <Choice label="By" name="by" value={by} options={FIND_BY} />
        <Field label="The whole of it (an id: 8 digits)" name="value" value={value} required />
        <Field label="Day of receipt (UTC), if known" name="day" type="date" value={day} />
        <Button look="main">Find</Button>
      </form>
      {found && found.events.length === 0 && (
        <p>Nothing found. It never came, was erased, or was delivered too long ago.</p>
      )}
      {found && found.events.length > 0 && (
        <EventTable
          caption={`${count(found.events.length, 'event')}, the newest first`}
          events={found.events}
        />
      )}
      {found?.cursor && (
        <Action does="find" values={{ by, value, day, cursor: found.cursor }}>
          Older
        </Action>
      )}
    </>
  )
}

type Person = { by?: string; value?: string; suppressDays?: string }

/** `matched`: what a dry run has found; `done`: something has just been erased. */
function Erase({
  person,
  matched,
  done,
}: {
  person: Person
  matched: Answer<'erase'> | null
  done: boolean
}) {
  const { by, value, suppressDays = DEFAULT_SUPPRESS_DAYS } = person
  return (
    <>
      <h1>Erase a person</h1>
      {done && <AdobesPart />}
      {matched ? (
        <section class="card warn">
          <h2>Nothing was erased yet. Of {value}:</h2>
          <Facts
            of={[
              ['Stored events', matched.matched],
              ['Receipts', matched.receipts],
              ['Others that mention them, which are kept', matched.mentioned],
            ]}
          />
          <div class="row">
            <Action does="erase" values={{ by, value, suppressDays, confirm: 1 }} look="no">
              Erase, and suppress for {suppressDays} days
            </Action>
            <a href="/admin/ui/erase">Cancel</a>
          </div>
        </section>
      ) : (
        <form class="row" method="post" action="/admin/ui/erase">
          <Choice label="By" name="by" value={by} options={PERSON} />
          <Field label="The whole address or id" name="value" required />
          <Field
            label="Days to suppress"
            name="suppressDays"
            type="number"
            min={0}
            max={MAX_SUPPRESS_DAYS}
            value={suppressDays}
            required
          />
          <Button look="main">Show what there is</Button>
        </form>
      )}
      <p class="soft">
        While suppressed, new events of this person are counted and dropped. Those who have an email
        and a visitor id: erase both.
      </p>
      {!done && <AdobesPart />}
    </>
  )
}

function AdobesPart() {
  return (
    <p>
      <b>Adobe still holds what it accepted.</b> It is deleted by a job of{' '}
      <a href="https://experienceleague.adobe.com/en/docs/experience-platform/privacy/api/privacy-jobs">
        Privacy Service
      </a>
      ; <code>npm run erase</code> prints its request.
    </p>
  )
}

function Suppressions({ count: number, rows }: Answer<'suppressions'>) {
  return (
    <>
      <h1>Suppressed people: {number}</h1>
      {number === 0 ? (
        <p>Nobody is suppressed.</p>
      ) : (
        <>
          <Table
            caption="They are kept as keyed hashes, so nobody can be named here"
            heads={['Since', 'Until']}
          >
            {rows.map(({ since, until }) => (
              <tr>
                <td>
                  <Time at={since} />
                </td>
                <td>
                  <Time at={until} />
                </td>
              </tr>
            ))}
          </Table>
          <h2>End one</h2>
          <form class="row" method="post" action="/admin/ui/suppressions/delete">
            <Hidden values={{ back: SUPPRESSIONS.place }} />
            <Choice label="By" name="by" options={PERSON} />
            <Field label="The whole address or id" name="value" required />
            <Button>End the suppression</Button>
          </form>
        </>
      )}
      <p>
        <a href={href('/admin/ui/erase', {})}>Erase and suppress a person</a>
      </p>
    </>
  )
}
