/**
 * Addresses of the page: what they lead to, and the result of a command that they carry once after it was done.
 *
 * Promises: leads to nothing but our own pages, whatever an address says. A result is the name of a command with numbers and
 * nothing else, so a link from a stranger cannot put words on the page. Pure.
 */
import { count, figure } from '../../alerts/words.ts'
import { COMMANDS, type CommandName } from '../api.ts'

/** The pages of the navigation, by their names. */
export const PLACES = {
  overview: '/admin',
  events: '/admin/ui/events',
  days: '/admin/ui/days',
  find: '/admin/ui/find',
  erase: '/admin/ui/erase',
  suppressions: '/admin/ui/suppressions',
  drift: '/admin/ui/drift',
  alerts: '/admin/ui/alerts',
  log: '/admin/ui/log',
} as const

/** Values of a form or an address; what is not given is left out. */
export type Values = Readonly<Record<string, string | number | readonly string[] | undefined>>

export function given(values: Values): [string, string][] {
  return Object.entries(values).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return []
    return typeof value === 'object' ? value.map((each) => [name, each]) : [[name, String(value)]]
  })
}

/** What is no whole number counts as none. */
export const wholeIn = (given: URLSearchParams, name: string) =>
  Number(/^\d{1,15}$/.exec(given.get(name) ?? '')?.[0] ?? 0)

export function href(path: string, values: Values): string {
  const query = new URLSearchParams(given(values)).toString()
  return query === '' ? path : `${path}?${query}`
}

/** Where the form of a command is sent to. A form knows no method but POST, so those that delete say so behind the path. */
export function formPath(name: CommandName): string {
  const { method, path } = COMMANDS[name]
  return `/ui${path}${method === 'DELETE' ? '/delete' : ''}`
}

/** Any origin will do: an address that resolves to another one is not ours. */
const OURS = 'https://relay.invalid'

/** The address of the sign-in page, which knows what was asked for. Only what was asked for by GET can be again. */
export function signInAddress(method: string, url: string): string {
  const { pathname, search } = new URL(url)
  const asked = method === 'GET' ? ownPage(pathname + search) : PLACES.overview
  return href('/admin/sign-in', { next: asked === PLACES.overview ? undefined : asked })
}

/** This page, if it is one of ours to show; else the overview. */
export function ownPage(next: string | null | undefined): string {
  const url = URL.parse(next ?? '', OURS)
  const isOurs = url?.origin === OURS && url.pathname.startsWith('/admin/ui/')
  return isOurs ? url.pathname + url.search : PLACES.overview
}

const OF_ANSWERS = ['matched', 'redriven', 'stillInvalid', 'erased', 'accepted'] as const
/** Numbers that a result may carry; `none`: there was no such thing. */
const COUNTS = [...OF_ANSWERS, 'dryRun', 'none'] as const
type Counts = Readonly<Record<(typeof COUNTS)[number], number>>

const invalid = ({ stillInvalid }: Counts) =>
  stillInvalid === 0 ? '' : `, ${figure(stillInvalid)} still invalid`

/** What a command has done, in words. */
const RESULTS: { readonly [Name in CommandName]?: (n: Counts) => string } = {
  redrive: (n) => {
    if (n.dryRun) {
      return `Dry run, nothing was changed: ${count(n.matched, 'event')} match, ${n.matched - n.stillInvalid} would be sent again${invalid(n)}.`
    }
    const kept = n.matched - n.redriven - n.stillInvalid
    const suppressed = kept > 0 ? `, ${figure(kept)} of suppressed people left` : ''
    return `${count(n.redriven, 'event')} redriven${invalid(n)}${suppressed}.`
  },
  deleteMatching: (n) => `${count(n.erased, 'event')} deleted.`,
  deleteEvent: (n) => `${count(n.erased, 'event')} deleted.`,
  pause: () =>
    'Paused. Within 10 seconds nothing is relayed any more: wait for them before you change the dataflow.',
  resume: () => 'Resumed: the next attempt is made at once.',
  acceptDrift: ({ none, accepted }) =>
    accepted > 0
      ? `${count(accepted, 'difference')} accepted: they raise no more alerts.`
      : none
        ? 'No such difference: it may have been forgotten meanwhile.'
        : 'Accepted: this difference raises no more alerts.',
  endSuppression: ({ none }) =>
    none
      ? 'Nobody by this address or id is suppressed.'
      : 'The suppression has ended: events of this person are taken again.',
}

/**
 * `back` with what a command answered there; `null`: there was no such thing. `entry`: its number in the operators' log,
 * which stays in the address of a list, so that the list keeps showing its progress.
 */
export function withResult(
  back: string | null,
  name: CommandName,
  { answer, entry }: { answer: object | null; entry: number | null },
  dryRun: boolean,
): string {
  const { pathname, searchParams } = new URL(ownPage(back), OURS)
  const query = withoutResult(searchParams)
  query.set('done', name)
  query.delete('entry')
  if (entry !== null && pathname === PLACES.events) query.set('entry', String(entry))
  const found: Partial<Counts> = { ...answer, dryRun: Number(dryRun), none: Number(!answer) }
  for (const count of COUNTS) {
    const value = found[count]
    if (typeof value === 'number' && value > 0) query.set(count, String(value))
  }
  return `${pathname}?${query}`
}

/** A query without the result that it carries. */
export function withoutResult(query: URLSearchParams): URLSearchParams {
  const rest = new URLSearchParams(query)
  for (const name of ['done', ...COUNTS]) rest.delete(name)
  return rest
}

/** What a command has done; `clean`: the address without it. */
export function flashOf(address: string): { text: string; clean: string } | null {
  const { pathname, searchParams: query } = new URL(address)
  const done = query.get('done') ?? ''
  const words = Object.hasOwn(RESULTS, done) ? RESULTS[done as CommandName] : undefined
  if (!words) return null
  const counts = Object.fromEntries(COUNTS.map((name) => [name, wholeIn(query, name)]))
  const rest = Object.fromEntries(withoutResult(query))
  return { text: words(counts as Counts), clean: href(pathname, rest) }
}
