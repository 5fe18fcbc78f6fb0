/**
 * Find, and who is suppressed. An email or id of a person comes in a form and is answered in the page itself: an address
 * with it would stand in logs and in the browser's history.
 */
import { type AppContext, servicesOf } from '../../services.ts'
import { type Answer, COMMANDS } from '../api.ts'
import { checkForm, readForm } from '../input.ts'
import { find, suppressions } from '../run/people.ts'
import { href } from './addresses.ts'
import { EventTable, shownOf } from './event-table.tsx'
import { badRequest, respond } from './frame.tsx'
import { Action, Button, Choice, Field, Hidden, Table, Time } from './parts.tsx'

const FIND = { title: 'Find', place: '/admin/ui/find' }
const SUPPRESSIONS = { title: 'Suppressed people', place: '/admin/ui/suppressions' }

export async function showFind(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') return respond(c, FIND, <Find sought={{}} found={null} />)
  const form = await readForm(c.req.raw)
  const checked = checkForm(COMMANDS.find.takes, form)
  if (!checked.ok) return badRequest(c, checked.detail)
  const found = await find(servicesOf(c.env), checked.output)
  return respond(c, FIND, <Find sought={Object.fromEntries(form)} found={found} />)
}

export async function showSuppressions(c: AppContext): Promise<Response> {
  return respond(c, SUPPRESSIONS, <Suppressions {...(await suppressions(servicesOf(c.env)))} />)
}

export const PERSON = { email: 'Email', visitor: 'Visitor id' }
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
      <FindForm {...sought} />
      {found && found.events.length === 0 && (
        <p>
          Nothing found. It never came, was erased, was delivered too long ago, or is of somebody
          who is suppressed: <a href="/admin/ui/erase">Erase</a> shows, before it does anything,
          whether a person is.
        </p>
      )}
      {found && found.events.length > 0 && (
        <EventTable
          caption={shownOf(found.events.length, null, found.cursor !== null)}
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

/** By POST, also from the list of events: who is looked for stands in no address. */
export function FindForm({ by, value, day }: Sought) {
  return (
    <form class="row" method="post" action="/admin/ui/find">
      <Choice label="By" name="by" value={by} options={FIND_BY} />
      <Field label="The whole, or 8 digits of an id" name="value" value={value} required />
      <Field label="Received (UTC), if known" name="day" type="date" value={day} />
      <Button look="main">Find</Button>
    </form>
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
