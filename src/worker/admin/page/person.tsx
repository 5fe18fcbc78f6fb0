/**
 * Find, erase, suppressions. An email or id of a person comes in a form and is answered in the page itself: an address with
 * it would stand in logs and in the browser's history.
 */
import { type AppContext, servicesOf } from '../../services.ts'
import { operatorOf } from '../action.ts'
import { EraseSchema, FindSchema, PersonSchema } from '../lookup-parameters.ts'
import { endSuppression, erasePerson, readSuppressions } from '../operations/erase.ts'
import { find } from '../operations/find.ts'
import { checkBody } from '../parameters.ts'
import { badRequest } from './events.tsx'
import { readFlash } from './flash.ts'
import { readForm } from './form.ts'
import { respond, seeOther } from './respond.tsx'
import { href } from './views/parts.tsx'
import { Erase, Find, Suppressions } from './views/person.tsx'

const FIND = { title: 'Find', place: '/admin/ui/find' }
const ERASE = { title: 'Erase a person', place: '/admin/ui/erase' }
const SUPPRESSIONS = { title: 'Suppressed people', place: '/admin/ui/suppressions' }

export function showFind(c: AppContext): Response {
  return respond(c, FIND, <Find sought={{}} found={null} />)
}

export async function findEvents(c: AppContext): Promise<Response> {
  const { by = '', value, ...rest } = await fields(c)
  const checked = checkBody(FindSchema, { [by]: value, ...rest })
  if (!checked.ok) return badRequest(c, checked.detail)
  const { day, limit, cursor, ...what } = checked.output
  const found = await find(servicesOf(c.env), what, { day, limit, cursor })
  const sought = { by, ...(value && { value }), ...(day && { day }) }
  return respond(c, FIND, <Find sought={sought} found={found} />)
}

export function showErase(c: AppContext): Response {
  const { flash } = readFlash(c)
  return respond(c, { ...ERASE, flash }, <Erase person={{}} matched={null} done={flash !== null} />)
}

/** Without `confirm` only counts. */
export async function erase(c: AppContext): Promise<Response> {
  const { by = '', value, suppressDays = '', confirm } = await fields(c)
  const dryRun = confirm !== '1'
  const checked = checkBody(EraseSchema, {
    [by]: value,
    suppressDays: suppressDays === '' ? undefined : Number(suppressDays),
    dryRun,
  })
  if (!checked.ok) return badRequest(c, checked.detail)
  const { suppressedUntil, ...counts } = await erasePerson(
    servicesOf(c.env),
    operatorOf(c),
    checked.output,
  )
  if (!dryRun) return seeOther(href(ERASE.place, { done: 'erase', ...counts }))
  const person = { by, suppressDays, ...(value && { value }) }
  return respond(
    c,
    ERASE,
    <Erase person={person} matched={{ ...counts, suppressedUntil }} done={false} />,
  )
}

export async function showSuppressions(c: AppContext): Promise<Response> {
  const { flash } = readFlash(c)
  const suppressions = await readSuppressions(servicesOf(c.env))
  return respond(c, { ...SUPPRESSIONS, flash }, <Suppressions {...suppressions} />)
}

export async function unsuppress(c: AppContext): Promise<Response> {
  const { by = '', value } = await fields(c)
  const checked = checkBody(PersonSchema, { [by]: value })
  if (!checked.ok) return badRequest(c, checked.detail)
  const ended = await endSuppression(servicesOf(c.env), operatorOf(c), checked.output)
  return seeOther(href(SUPPRESSIONS.place, { done: ended ? 'unsuppress' : 'not-suppressed' }))
}

/** What was filled in. */
async function fields(c: AppContext): Promise<Record<string, string | undefined>> {
  return Object.fromEntries([...(await readForm(c))].filter(([, value]) => value !== ''))
}
