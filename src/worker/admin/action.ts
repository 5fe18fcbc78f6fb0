/**
 * Puts an operator's action on record, in shard 0.
 * Accepts: an action that cannot be put on record has happened all the same, so that is a log line and no failure.
 */
import { logLine } from '../log.ts'
import { type AppContext, servicesOf } from '../services.ts'

/** The name under which a middleware leaves the address of an operator whom Cloudflare Access let in. */
export const OPERATOR = 'operator'

/** `counts`: numbers only, never an id or an address. */
export async function logAction(
  c: AppContext,
  action: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  const operator: unknown = c.get(OPERATOR as never)
  const by = typeof operator === 'string' ? operator : 'token'
  try {
    const entry = { at: Date.now(), by, action, counts }
    await servicesOf(c.env).shards.tokenKeeper().logAction(entry)
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('error', { event: 'action-not-logged', action, name })
  }
}
