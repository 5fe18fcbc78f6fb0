/**
 * The stateless Worker through which the outbox sends: one request to AEP an invocation, so that neither the six connections
 * nor the subrequests of one invocation bound how many the outbox has under way.
 *
 * Promises: an answer, or how there was none; what the runtime does to it is never taken for AEP's failure.
 */
import { WorkerEntrypoint } from 'cloudflare:workers'
import { type Post, type PostRequest, poster } from './aep/client/client.ts'
import { type HttpAnswer, Interrupted, isAbort } from './aep/client/verdict.ts'
import { isTimeout, type Timers, timeoutError, within } from './lib/bounded.ts'
import { rimOf } from './lib/rim.ts'
import { SENDER_GRACE_MS } from './limits.ts'

/** `aborted`: by the runtime. */
export type Posted = { answer: HttpAnswer } | { none: 'timeout' | 'network' | 'aborted' }

export class Sender extends WorkerEntrypoint<Env> {
  async post(request: PostRequest, timeoutMs: number): Promise<Posted> {
    try {
      const { fetch, timers } = rimOf(this.env)
      return { answer: await poster(fetch, true, timers)(request, timeoutMs) }
    } catch (thrown) {
      // As a word: the name of an error does not survive RPC.
      return { none: isAbort(thrown) ? 'aborted' : isTimeout(thrown) ? 'timeout' : 'network' }
    }
  }
}

/** What `AepClient` needs, by way of another invocation: one that dies, or says nothing in time, is nobody's failure. */
export function postThrough(sender: { post: Sender['post'] }, timers?: Timers): Post {
  return async (request, timeoutMs) => {
    let posted: Posted
    try {
      const sent = sender.post(request, timeoutMs)
      posted = await within(timeoutMs + SENDER_GRACE_MS, sent, timers)
    } catch {
      throw new Interrupted()
    }
    if ('answer' in posted) return posted.answer
    if (posted.none === 'aborted') throw new Interrupted()
    throw posted.none === 'timeout' ? timeoutError() : new Error('no connection')
  }
}
