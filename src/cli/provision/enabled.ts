/**
 * Enabled: waits until Adobe has enabled the flow, which it does some seconds after it was made, and reads its
 * address. Bounded: after three minutes the run ends, and the next one continues here.
 */
import type { Send } from '../lib/platform-client.ts'
import { textAt } from '../lib/platform-request.ts'
import { byFlowServiceId } from './lookup.ts'
import { inletOf } from './relay-vars.ts'
import type { Found, Key } from './step.ts'

const POLL_MS = 2_000
const POLLS = 90

export type Enabled = { readonly known: ReadonlyMap<Key, Found> } | { readonly state: string }

export async function untilEnabled(
  send: Send,
  known: ReadonlyMap<Key, Found>,
  sleep: (ms: number) => Promise<void>,
): Promise<Enabled> {
  const id = known.get('flow')?.id ?? ''
  let state = 'unknown'
  for (let poll = 0; poll < POLLS; poll += 1) {
    if (poll > 0) await sleep(POLL_MS)
    const body = await byFlowServiceId(send, 'flows', id)
    state = textAt(body, 'state') ?? 'unknown'
    const seen = new Map(known).set('flow', { id, body })
    if (state !== 'enabled') continue
    const base = known.get('base')
    if (inletOf(seen) === null && base) {
      seen.set('base', { id: base.id, body: await byFlowServiceId(send, 'connections', base.id) })
    }
    if (inletOf(seen) !== null) return { known: seen }
  }
  return { state }
}
