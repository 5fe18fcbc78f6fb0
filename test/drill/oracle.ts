/**
 * Oracle: decides whether the promises were kept, from the posts and their answers, the records in AEP, and the outbox
 * as the Worker lists it. Pure.
 */
import { imbalance, lost } from '../promises.ts'
import type { Evidence } from './evidence.ts'
import { byEvent, type Format } from './format.ts'
import type { Options } from './options.ts'
import { abandoned, isAccepted, type SentEvent, sentEvents } from './sent.ts'

/** `id` is `null` unless the breach concerns one event. */
export type Breach = { readonly check: string; readonly id: string | null; readonly text: string }

export function judge(evidence: Evidence, options: Options, format: Format): Breach[] {
  const sent = sentEvents(evidence.posts)
  return [
    ...arrived(evidence, sent, format),
    ...onlySent(evidence, sent, format),
    ...intact(evidence, sent, format),
    ...quarantined(evidence, sent),
    ...ledger(evidence, sent),
    ...answers(evidence, sent),
    ...awake(evidence),
    ...passing(evidence, options),
    ...takenOver(evidence, sent, format),
    ...evidence.bounds.breaches.map((text) => ({ check: 'bounds', id: null, text })),
  ]
}

/** Every event answered 2xx is in AEP. */
function arrived({ lake }: Evidence, sent: Map<string, SentEvent>, format: Format): Breach[] {
  const there = byEvent(lake, format)
  const owed = [...sent.values()].filter((each) => each.owed).map(({ id }) => id)
  // At the end nothing is stored any more, and no operator has ended anything.
  const places = {
    landed: (id: string) => format.isWhole(there.get(id) ?? []),
    stored: () => false,
    ended: () => false,
  }
  return lost(owed, places).map((id) => {
    return { check: 'lost', id, text: 'was answered 2xx and is not in AEP' }
  })
}

/** AEP has nothing that was not posted, or that had to be refused. */
function onlySent({ lake }: Evidence, sent: Map<string, SentEvent>, format: Format): Breach[] {
  return lake
    .filter((record) => {
      const event = sent.get(format.eventOf(record) ?? '')
      return !event || event.webhook.refused !== null
    })
    .map(({ _id, seq }) => ({ check: 'stranger', id: _id, text: `#${seq} was never sent` }))
}

/** Each event in AEP is what was posted; copies of one event share its `_id`. */
function intact({ lake }: Evidence, sent: Map<string, SentEvent>, format: Format): Breach[] {
  const records = byEvent(lake, format)
  return [...sent.values()].flatMap((event) =>
    format
      .faultsOf(records.get(event.id) ?? [], event)
      .map((text) => ({ check: 'wrong', id: event.id, text })),
  )
}

/** Everything refused with 400 or 422 is in quarantine, and nothing else is. */
function quarantined({ listed }: Evidence, sent: Map<string, SentEvent>): Breach[] {
  const kept = new Set(listed.quarantined)
  const refused = [...sent.values()].filter(({ webhook }) => webhook.refused !== null)
  const known = new Set(refused.map(({ id }) => id))
  const missing = refused.filter(
    ({ id, webhook, posts }) =>
      !kept.has(id) && posts.some(({ answer }) => answer?.status === webhook.refused),
  )
  return [
    ...missing.map(({ id }) => ({ check: 'lost', id, text: 'was refused and is not kept' })),
    ...[...kept]
      .filter((id) => !known.has(id))
      .map((id) => ({ check: 'stranger', id, text: 'is in quarantine and should not be' })),
  ]
}

/** The ledger balances and agrees with the lists and with the answers. */
function ledger({ posts, status, listed }: Evidence, sent: Map<string, SentEvent>): Breach[] {
  const breach = (text: string): Breach => ({ check: 'ledger', id: null, text })
  const wrong = status.erased === 0 ? imbalance(status) : `${status.erased} erased`
  const found = wrong === null ? [] : [breach(wrong)]
  for (const state of ['pending', 'dead', 'quarantined'] as const) {
    if (status[state] !== listed[state].length) {
      found.push(breach(`${status[state]} ${state}, ${listed[state].length} listed`))
    }
  }
  for (const state of ['pending', 'dead'] as const) {
    for (const id of listed[state]) found.push({ check: 'ledger', id, text: `is ${state}` })
  }
  // An event enters once, and again only when it is posted again.
  const stored = [...sent.values()].filter(({ posts }) =>
    posts.some(({ answer }) => answer && answer.status !== 200),
  ).length
  const most = posts.filter(({ sender }) => sender.kind !== 'cuts').length
  if (status.accepted < stored || status.accepted > most) {
    found.push(breach(`${status.accepted} accepted; at least ${stored}, at most ${most} were`))
  }
  return found
}

/** A sender that waits gets the answer of the contract, unless the Worker is killed meanwhile. */
function answers({ posts, endOf }: Evidence, sent: Map<string, SentEvent>): Breach[] {
  return posts.flatMap(({ webhook, sender, answer, why, life, endedAt }): Breach[] => {
    const about = (text: string) => [{ check: 'answer', id: answer?.id ?? null, text }]
    if (!answer) {
      const isOurs = sender.kind !== 'waits' || endOf(life) <= endedAt
      return isOurs ? [] : about(`no answer, though the Worker ran: ${why}`)
    }
    const { status, outcome, id } = answer
    if (id !== null && sent.get(id)?.webhook !== webhook) return about('has the id of another')
    const isRight =
      webhook.refused === null
        ? isAccepted(answer) && ['forwarded', 'buffered', null].includes(outcome)
        : status === webhook.refused
    return isRight ? [] : about(`${status} ${outcome}`)
  })
}

/** The outbox delivers by itself, without a request that wakes it. */
function awake({ recovered, idle }: Evidence): Breach[] {
  const text = 'was not sent while the Worker got no requests'
  const asleep = new Set(recovered.flatMap((each) => each.asleep))
  return [
    ...[...asleep].map((id) => ({ check: 'asleep', id, text })),
    ...idle.map((line) => ({ check: 'asleep', id: null, text: line })),
  ]
}

/** After all faults an event is relayed as on any day. */
function passing({ fresh }: Evidence, { storeFirst }: Options): Breach[] {
  const answer = fresh.at(-1)?.answer
  if (answer?.status === (storeFirst ? 202 : 200)) return []
  const text = `${answer?.status} ${answer?.outcome} was the last of ${fresh.length} answers`
  return [{ check: 'fresh', id: answer?.id ?? null, text }]
}

/**
 * A sender that leaves is promised nothing, but an event that has come in whole is kept all the same: always after an
 * orderly close, and after a reset if it was sent to AEP.
 */
function takenOver(
  { posts, lake, listed, asked, endOf }: Evidence,
  sent: Map<string, SentEvent>,
  format: Format,
): Breach[] {
  const taken = new Set([...byEvent(lake, format).keys(), ...listed.quarantined])
  const left = new Map(abandoned(posts, endOf).map(({ webhook, sender }) => [webhook, sender.kind]))
  return [...sent.values()]
    .filter(
      ({ id, webhook }) => left.get(webhook) === 'hangs-up' || (left.has(webhook) && asked.has(id)),
    )
    .filter(({ id }) => !taken.has(id))
    .map(({ id }) => ({ check: 'abandoned', id, text: 'was dropped when its sender left' }))
}
