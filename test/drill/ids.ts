/**
 * Ids: the `_id` that a webhook must get by the documented rule: SHA-256 of the kind in the route, the UTC day (unless
 * the body has a name of its own), and the bytes of the body.
 */
import { createHash } from 'node:crypto'
import type { Webhook } from './webhooks.ts'

const DAY_MS = 86_400_000

/** Several only if midnight may lie between posting and receipt. */
export function idsOf(webhook: Webhook, fromMs: number, toMs: number): string[] {
  const { segment, namesItself, body } = webhook
  const days = new Set<string>()
  for (let ms = fromMs; ms <= toMs + DAY_MS; ms += DAY_MS) days.add(dayOf(Math.min(ms, toMs)))
  const prefixes = namesItself ? [''] : [...days].map((day) => `${day}\n`)
  return prefixes.map((prefix) =>
    createHash('sha256')
      .update(`${segment || 'auto'}\n${prefix}`)
      .update(body)
      .digest('hex'),
  )
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
