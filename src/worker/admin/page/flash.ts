/**
 * The result of an action, shown once after the redirect: its name and its counts in the address, and no other data.
 * Anything but a known name with numbers is ignored, so a link from a stranger cannot put words on the page.
 */
import { count } from '../../alerts/words.ts'
import type { AppContext } from '../../services.ts'
import type { Flash } from './views/layout.tsx'
import { href } from './views/parts.tsx'

type Counts = Readonly<Record<(typeof COUNTS)[number], number>>

const COUNTS = ['matched', 'redriven', 'stillInvalid', 'erased', 'receipts', 'mentioned'] as const

const invalid = ({ stillInvalid }: Counts) =>
  stillInvalid === 0 ? '' : `, ${stillInvalid.toLocaleString('en-US')} still invalid`

const TEXTS = {
  redrive: (n: Counts) => {
    const kept = n.matched - n.redriven - n.stillInvalid
    const suppressed = kept > 0 ? `, ${kept.toLocaleString('en-US')} of suppressed people left` : ''
    return `${count(n.redriven, 'event')} redriven${invalid(n)}${suppressed}.`
  },
  'dry-run': (n: Counts) =>
    `Dry run, nothing was changed: ${count(n.matched, 'event')} match, ${n.matched - n.stillInvalid} would be sent again${invalid(n)}.`,
  delete: (n: Counts) => `${count(n.erased, 'event')} deleted.`,
  erase: (n: Counts) =>
    `${count(n.erased, 'event')} and ${count(n.receipts, 'receipt')} of this person erased. ${count(n.mentioned, 'event')} of others mention them, and were kept.`,
  pause: () =>
    'Paused. Within 10 seconds nothing is relayed any more: wait for them before you change the dataflow.',
  resume: () => 'Resumed: the next attempt is made at once.',
  accept: () => 'Accepted: this difference raises no more alerts.',
  unsuppress: () => 'The suppression has ended: events of this person are taken again.',
  'not-suppressed': () => 'Nobody by this address or id is suppressed.',
} as const

export type Done = keyof typeof TEXTS

/** `rest`: the query without the result. */
export function readFlash(c: AppContext): { flash: Flash | null; rest: URLSearchParams } {
  const { pathname, searchParams: rest } = new URL(c.req.url)
  const done = rest.get('done') ?? ''
  const counts = COUNTS.map((name) => [
    name,
    Number(/^\d{1,9}$/.exec(rest.get(name) ?? '')?.[0] ?? 0),
  ])
  for (const name of ['done', ...COUNTS]) rest.delete(name)
  if (!Object.hasOwn(TEXTS, done)) return { flash: null, rest }
  const text = TEXTS[done as Done](Object.fromEntries(counts))
  return { flash: { text, clean: href(pathname, Object.fromEntries(rest)) }, rest }
}
