/** One sentence about the relay, what it means for events, and what to do. Pure. */
import {
  adviceFor,
  count,
  EXPIRING_MEANING,
  NO_KEY,
  OUTAGE_ENDS,
  STORAGE,
  STORED,
} from '../../../alerts/words.ts'
import type { HealthReason } from '../../../http/health.ts'

export type Situation = {
  reasons: readonly HealthReason[]
  pending: number
  hold: { reason: string; since: string } | null
  /** Whether there is a usable webhook key. */
  letsIn: boolean
}

export type Sentence = {
  tone: 'ok' | 'warn' | 'bad'
  title: string
  meaning: string
  action: string
  since: string | null
}

/** What matters most comes first. There is always one. */
export function sentences({ reasons, pending, hold, letsIn }: Situation): Sentence[] {
  const waiting = pending === 0 ? 'Nothing is waiting.' : `${count(pending, 'event')} waiting.`
  const found: Sentence[] = []
  const say = (sentence: Partial<Sentence> & Pick<Sentence, 'tone' | 'title'>) =>
    found.push({ meaning: '', action: '', since: null, ...sentence })
  if (reasons.includes('storage')) say({ tone: 'bad', ...STORAGE })
  if (!letsIn) say({ tone: 'bad', ...adviceFor(NO_KEY), meaning: 'Webhooks are answered 503.' })
  if (hold?.reason === 'paused') {
    say({
      tone: 'warn',
      title: `Relaying is paused. ${waiting}`,
      meaning: STORED,
      action: 'Resume when what it was paused for is done.',
      since: hold.since,
    })
  } else if (hold) {
    const { title, action } = adviceFor(hold.reason)
    say({ tone: 'bad', title: `${title}. ${waiting}`, meaning: STORED, action, since: hold.since })
  } else if (reasons.includes('upstream')) {
    say({
      tone: 'warn',
      title: `AEP does not take events at the moment. ${waiting}`,
      meaning: 'Webhooks are still taken and stored; they are tried again, and nothing is lost.',
      action: OUTAGE_ENDS,
    })
  }
  if (reasons.includes('expiring')) {
    say({
      tone: 'bad',
      title: 'Stored events will be erased soon, for their age',
      meaning: EXPIRING_MEANING,
      action:
        'Redrive what can be sent, end the hold, or raise RETENTION_DAYS and run `npm run deploy`.',
    })
  }
  if (found.length === 0) say({ tone: 'ok', title: `Relaying. ${waiting}` })
  return found
}
