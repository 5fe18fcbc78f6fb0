/** Ids: the `_id`s that a webhook may get, by the documented rule. */
import { eventId } from '../promises.ts'
import type { Webhook } from './webhooks.ts'

const DAY_MS = 86_400_000

/** Several only if midnight may lie between posting and receipt. */
export function idsOf(webhook: Webhook, fromMs: number, toMs: number): string[] {
  const { segment, namesItself, body } = webhook
  if (namesItself) return [eventId(segment, body, null)]
  const days = new Set<string>()
  for (let ms = fromMs; ms <= toMs + DAY_MS; ms += DAY_MS) days.add(dayOf(Math.min(ms, toMs)))
  return [...days].map((day) => eventId(segment, body, day))
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
