/**
 * Privacy job: asks Adobe's Privacy Service once, and says how far it is.
 *
 * Promises: a request whose answer is lost is not repeated before Adobe's list of jobs has been searched for its key; the
 * list is read to its end, whichever page Adobe counts as the first. Nothing of a person is in what it returns.
 */

import { PRIVACY_JOBS, type UserId } from '../../worker/aep/privacy-request.ts'
import { DAY_MS } from '../../worker/limits.ts'
import type { PlatformClient, Send } from '../lib/platform-client.ts'
import { PlatformError } from '../lib/platform-error.ts'
import { at, type Json, listAt, textAt } from '../lib/platform-request.ts'

const PAGE = 100
const MAX_PAGES = 200
/** What attempts take, and what Adobe's clock may be ahead: a job that is asked for at midnight may be of the next day. */
const AHEAD_MS = 10 * 60_000

type Asked = { readonly requestId: string | null; readonly ids: readonly string[] }

type Search = {
  readonly key: string
  readonly regulation: string
  /** When it was asked for, and now; epoch milliseconds. */
  readonly askedAt: number
  readonly now: number
}

/** `body`: of `privacyRequest`, with the key of `search`. */
export async function askOnce(
  { send, sendOnce }: PlatformClient,
  body: Json,
  search: Search,
): Promise<Asked> {
  const settled = () => findJobs(send, search)
  try {
    const result = await sendOnce({ method: 'POST', path: PRIVACY_JOBS, body }, settled)
    if ('settled' in result) return result.settled
    const { answer } = result
    const ids = jobsIn(answer).flatMap((job) => textAt(job, 'jobId') ?? [])
    if (ids.length > 0) return { requestId: textAt(answer, 'requestId'), ids }
  } catch (error) {
    // A 2xx that cannot be read, or no answer to the last attempt: it may have been taken.
    if (!(error instanceof PlatformError) || error.refusal.status >= 300) throw error
    const found = await settled()
    if (found === null) throw error
    return found
  }
  const found = await settled()
  if (found !== null) return found
  const message = 'the answer names no job, and the list of jobs has none of this key'
  throw new PlatformError(`POST ${PRIVACY_JOBS}`, { status: 200, code: '', message })
}

/** `null`: Adobe has no job of this key. */
export async function findJobs(send: Send, search: Search): Promise<Asked | null> {
  const { key, regulation, askedAt, now } = search
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const query = {
    regulation,
    size: String(PAGE),
    fromDate: day(askedAt - DAY_MS),
    toDate: day(Math.min(askedAt + DAY_MS, now + AHEAD_MS)),
  }
  const found: Json[] = []
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const path = PRIVACY_JOBS
    const answer = await send({
      method: 'GET',
      path,
      query: { ...query, page: String(page) },
    }).catch((error: unknown) => {
      // One of Adobe's documents counts pages from 1.
      if (page === 0 && error instanceof PlatformError && error.refusal.status === 400) return null
      throw error
    })
    const jobs = jobsIn(answer)
    found.push(...jobs.filter((job) => keyOf(job) === key))
    if (jobs.length === 0 && page > 0) break
  }
  const ids = [...new Set(found.flatMap((job) => textAt(job, 'jobId') ?? []))]
  return ids.length > 0 ? { requestId: textAt(found[0] ?? null, 'requestId'), ids } : null
}

/** The schema says `jobDetails`, every example `jobs`. */
function jobsIn(answer: Json): readonly Json[] {
  const jobs = listAt(answer, 'jobs')
  return jobs.length > 0 ? jobs : listAt(answer, 'jobDetails')
}

function keyOf(job: Json): string | null {
  return textAt(job, 'userKey') ?? textAt(job, 'customer', 'user', 'key')
}

type Product = {
  readonly product: string
  readonly status: string
  /** In Adobe's words. */
  readonly message: string
  readonly foundNobody: boolean
  /** At least one namespace of the request is unknown to it. */
  readonly isUnknown: boolean
}

export type JobState = {
  readonly status: string
  readonly products: readonly Product[]
  readonly userIds: readonly Pick<UserId, 'namespace' | 'value'>[]
}

/** `null`: Adobe does not know it (any more): jobs can be read for 30 days after they are complete. */
export async function readJob(send: Send, id: string): Promise<JobState | null> {
  let answer: Json
  try {
    answer = await send({ method: 'GET', path: `${PRIVACY_JOBS}/${encodeURIComponent(id)}` })
  } catch (error) {
    if (error instanceof PlatformError && error.refusal.status === 404) return null
    throw error
  }
  return {
    status: textAt(answer, 'status') ?? 'unknown',
    products: listAt(answer, 'productResponses').map(productOf),
    userIds: listAt(answer, 'userIds').map((one) => ({
      namespace: textAt(one, 'namespace') ?? '',
      value: textAt(one, 'value') ?? '',
    })),
  }
}

function productOf(response: Json): Product {
  const said = at(response, 'productStatusResponse')
  const message = textAt(said, 'message') ?? ''
  return {
    product: textAt(response, 'product') ?? 'unknown',
    status: textAt(said, 'status') ?? 'unknown',
    message: withoutAddresses(message),
    foundNobody: /not found|invalid namespace/i.test(message),
    isUnknown: /invalid namespace|partially/i.test(message),
  }
}

/** Adobe's words name datasets; should they ever name the person, they do not here. */
function withoutAddresses(text: string): string {
  return text.replaceAll(/\S+@\S+/g, '…')
}
