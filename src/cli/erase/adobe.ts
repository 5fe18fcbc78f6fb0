/**
 * Adobe: what has to be known before Adobe is asked to delete a person, and asking once.
 *
 * Promises: the random key of a request is on the disk before the request leaves. What an earlier run has begun for the very
 * same person is gone on with, not begun again.
 */

import type { UserId, VisitorNamespace } from '../../worker/aep/privacy-request.ts'
import namespace from '../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import { DAY_MS } from '../../worker/limits.ts'
import { type Environment, variable } from '../lib/env-file.ts'
import { type Io, type PlatformClient, platformClient, type Send } from '../lib/platform-client.ts'
import { PlatformError } from '../lib/platform-error.ts'
import { at, type Json } from '../lib/platform-request.ts'
import { printable } from '../lib/printable.ts'
import type { Surroundings } from '../lib/run.ts'
import { wrap } from '../lib/style.ts'
import { namespacesByCode } from '../provision/lookup.ts'
import { missingSettings, readSettings } from '../provision/settings.ts'
import type { Erase } from './options.ts'
import { askOnce, findJobs, readJob } from './privacy-job.ts'
import { fileOf, type Receipt, receiptsIn, writeReceipt } from './receipt.ts'

export type Client = PlatformClient & { readonly orgId: string }

export function clientFor(environment: Environment, io: Io): Client | { readonly wrong: string } {
  const missing = missingSettings(environment)
  if (missing.length > 0) return { wrong: `Missing for Adobe: ${missing.join(', ')}.` }
  const settings = readSettings(environment)
  if ('wrong' in settings) return settings
  return { ...platformClient(settings, io), orgId: settings.orgId }
}

/** By its number where that can be found out: Adobe's pages disagree about the type of a name. */
export async function visitorNamespace(
  { environment, identities, aep }: Erase,
  client: Client | { readonly wrong: string },
): Promise<VisitorNamespace | { readonly wrong: string; readonly code: number }> {
  const code = variable(environment, 'AEP_VISITOR_NAMESPACE') ?? namespace.code
  const unknown = { code, id: null }
  if ('wrong' in client || identities.every(({ kind }) => kind === 'email')) return unknown
  try {
    const found = await namespacesByCode(client.send, code)
    if (found.length > 1) {
      return { wrong: `AEP has ${found.length} namespaces with the code ${code}.`, code: 3 }
    }
    const id = at(found[0]?.body ?? null, 'id')
    const number = typeof id === 'number' ? String(id) : null
    if (number !== null) return { code, id: number }
    if (aep) return { wrong: `This sandbox of AEP has no namespace ${code}.`, code: 1 }
  } catch (error) {
    // The request is only printed: then the namespace's name will do.
    if (aep || !(error instanceof PlatformError)) throw error
    console.error(wrap(`The namespace could not be looked up (${printable(error.message)}).`))
  }
  return unknown
}

/** How long a job that was asked for may take until Adobe's list shows it. */
const LISTED_MS = 3_000
/** How long back Adobe lists jobs. */
const READABLE_MS = 45 * DAY_MS

type Earlier = Pick<Receipt, 'key' | 'job'>

/**
 * What an earlier run has done for this very person: that job, when Adobe has it under the key of a receipt here, and
 * then no other is asked for; its key alone, when the run ended before Adobe had it. Adobe's own record says whose a job
 * is, and the relay's suppressions whose a receipt is, so that no receipt needs to.
 */
export async function earlierJob(
  { base, regulation }: Erase,
  { suppressions }: Receipt,
  userIds: readonly UserId[],
  send: Send,
  { directory, now, io }: Surroundings,
): Promise<Earlier | null> {
  const wanted = new Set(userIds.map(({ value }) => value.toLowerCase()))
  const isOurs = (userIds: readonly Pick<UserId, 'value'>[]) => {
    const values = new Set(userIds.map(({ value }) => value.toLowerCase()))
    return values.size === wanted.size && [...values].every((value) => wanted.has(value))
  }
  const samePerson = (one: Receipt) =>
    suppressions.length > 0 &&
    [...one.suppressions].sort().join() === [...suppressions].sort().join()
  let unanswered: Earlier | null = null
  const oldest = now() - READABLE_MS
  for (const { key, job, ...one } of receiptsIn(directory)) {
    if (job === null || one.relay !== base || one.regulation !== regulation) continue
    if (!(Date.parse(job.askedAt) > oldest)) continue
    const search = { key, regulation, askedAt: Date.parse(job.askedAt), now: now() }
    let ids = job.ids
    let { requestId } = job
    if (ids.length === 0) {
      let found = await findJobs(send, search)
      if (found === null && samePerson({ key, job, ...one })) {
        await io.sleep(LISTED_MS)
        found = await findJobs(send, search)
        if (found === null) unanswered = { key, job }
      }
      if (found === null) continue
      ids = [...found.ids]
      requestId = found.requestId
    }
    const known = await readJob(send, ids[0] ?? '')
    if (known && isRunning(known.status) && isOurs(known.userIds)) {
      return { key, job: { ...job, ids, requestId } }
    }
  }
  return unanswered
}

/** One that is complete deleted what there was then; what came later is for a new one. */
const isRunning = (state: string) => state === 'submitted' || state === 'processing'

/** Asks Adobe, unless it has been asked. */
export async function ask(
  client: Client,
  receipt: Receipt,
  requestFor: (key: string) => Json,
  directory: string,
  now: number,
): Promise<{ file: string; asked: Receipt }> {
  const { key, regulation, job } = receipt
  const file = fileOf(directory, receipt)
  if (job && job.ids.length > 0) {
    writeReceipt(file, receipt)
    return { file, asked: receipt }
  }
  const askedAt = new Date(now).toISOString()
  const open = { askedAt, requestId: null, ids: [], status: null, products: [], checkedAt: null }
  writeReceipt(file, { ...receipt, job: open })
  try {
    const made = await askOnce(client, requestFor(key), { key, regulation, askedAt: now, now })
    const asked = { ...receipt, job: { ...open, ...made, ids: [...made.ids], status: 'submitted' } }
    writeReceipt(file, asked)
    return { file, asked }
  } catch (error) {
    const { status = 0 } = error instanceof PlatformError ? error.refusal : {}
    // Refused for certain: nothing is open.
    if (status >= 300 && status < 500) {
      writeReceipt(file, { ...receipt, job: null })
      throw error
    }
    console.error(
      wrap(
        `Adobe was asked, and whether it has the job is not known. Run the same command again in this directory: by ${file} it finds the job, or asks with the same key.`,
      ),
    )
    throw error
  }
}
