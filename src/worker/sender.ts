/**
 * The stateless Worker through which the outbox sends: one request to AEP an invocation, so that neither the six connections
 * nor the subrequests of one invocation bound how many the outbox has under way.
 *
 * Promises: an answer, or how there was none; what it throws is the runtime's own fault, never AEP's.
 */
import { WorkerEntrypoint } from 'cloudflare:workers'
import { type PostRequest, post } from './aep/client/post.ts'
import { type Answer, Interrupted, isAbort } from './aep/client/verdict.ts'
import { rimOf } from './lib/rim.ts'
import { isTimeout, type Timers, timeoutError, within } from './lib/timeout.ts'
import { SENDER_GRACE_MS } from './limits.ts'

export type Posted = { answer: Answer } | { none: 'timeout' | 'network' }

export class Sender extends WorkerEntrypoint<Env> {
  async post(request: PostRequest, timeoutMs: number): Promise<Posted> {
    try {
      const { fetch, timers } = rimOf(this.env)
      return { answer: await post(request, timeoutMs, fetch, { aborts: true, timers }) }
    } catch (thrown) {
      // The name of an error does not survive the way back; the runtime's own errors do.
      if (isAbort(thrown)) throw thrown
      return { none: isTimeout(thrown) ? 'timeout' : 'network' }
    }
  }
}

/** What `AepClient` needs, by way of another invocation: one that dies, or says nothing in time, is nobody's failure. */
export function postThrough(sender: { post: Sender['post'] }, timers: Timers) {
  return async (request: PostRequest, timeoutMs: number): Promise<Answer> => {
    let posted: Posted
    try {
      const sent = sender.post(request, timeoutMs)
      posted = await within(timeoutMs + SENDER_GRACE_MS, sent, timers)
    } catch {
      throw new Interrupted()
    }
    if ('answer' in posted) return posted.answer
    throw posted.none === 'timeout' ? timeoutError() : new Error('no connection')
  }
}
