/**
 * AEP: whose records are looked at, and what AEP says of them, with the operator's own credential.
 *
 * Promises: it only reads; what is missing or refused is a sentence that says what to do. The reading itself is the Worker's
 * own (`aep/landed.ts`), until nothing is left to read.
 */

import {
  type LandedFailure,
  type LandedFlow,
  type LandedHour,
  landedSince,
  type ReadFailure,
  readLanded,
} from '../../worker/aep/landed.ts'
import {
  explainProblem,
  type PlatformGet,
  type PlatformProblem,
  platformGet,
  VIEW,
} from '../../worker/aep/platform-get.ts'
import { type Credentials, type Destination, parseConfig } from '../../worker/config/config.ts'
import { HOUR_MS } from '../../worker/limits.ts'
import { wrongIn } from '../deploy/settings.ts'
import { readTarget } from '../deploy/target.ts'
import { type Io, type PlatformSettings, platformClient, waitMs } from '../lib/platform-client.ts'
import { adviceOn, PlatformError } from '../lib/platform-error.ts'
import { textAt } from '../lib/platform-request.ts'
import { requestToken } from '../lib/platform-token.ts'
import { printable } from '../lib/printable.ts'
import { table } from '../lib/terminal.ts'
import { messageOf } from '../lib/text.ts'
import { byFlowServiceId } from '../provision/lookup.ts'
import { missingSettings, readSettings } from '../provision/settings.ts'
import type { Common } from './options.ts'

export type AepSide = {
  readonly get: PlatformGet
  readonly flow: LandedFlow
  /** As the relay sends to it, without a credential. */
  readonly destination: Destination
  /** The operator's, of which an inlet that asks for a token takes one as well. */
  readonly credentials: Credentials
}

/** `usage`: a setting is missing or wrong. */
type Unusable = { readonly wrong: string; readonly usage: boolean }

/** Names of the Worker's variables that the environment may override; its credential is another than the operator's. */
const OWN =
  /^AEP_(ENDPOINT|FORMAT|FLOW_ID|ORG_ID|DATASET_ID|SCHEMA_ID|SCHEMA_VERSION|TENANT|VISITOR_NAMESPACE)$/

export async function aepSide(options: Common, io: Io): Promise<AepSide | Unusable> {
  const { environment, config, env } = options
  const missing = missingSettings(environment)
  if (missing.length > 0) return { wrong: `Missing for AEP: ${missing.join(', ')}.`, usage: true }
  const settings = readSettings(environment)
  if ('wrong' in settings) return { wrong: settings.wrong, usage: true }
  const given = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => OWN.test(name) && value?.trim()),
  )
  let vars: Readonly<Record<string, unknown>> = {}
  try {
    vars = (await readTarget(config, env)).vars
  } catch (error) {
    if (given.AEP_ENDPOINT === undefined) {
      return { wrong: `The relay's settings are not known. ${messageOf(error)}`, usage: true }
    }
  }
  const { destination, problems } = parseConfig({
    ...vars,
    ...given,
    AEP_CLIENT_ID: '',
    AEP_CLIENT_SECRET: '',
  })
  if (destination === null) {
    const [problem] = problems
    const what = problem && `${problem.variable} ${wrongIn({ ...vars, ...given }, problem)}`
    return { wrong: `${config}: ${what}.`, usage: true }
  }
  const { flowId } = destination
  const datasetId =
    (destination.format === 'xdm' ? destination.datasetId : null) ??
    (String(given.AEP_DATASET_ID ?? vars.AEP_DATASET_ID ?? '') || null)
  try {
    const id = datasetId ?? (flowId === null ? null : await datasetOf(flowId, settings, io))
    if (id === null)
      return { wrong: 'AEP_DATASET_ID is not set, and cannot be looked up.', usage: true }
    const flow = { datasetId: id, flowId }
    return { get: getter(settings, io), flow, destination, credentials: settings }
  } catch (error) {
    return unusable(error)
  }
}

async function datasetOf(
  flowId: string,
  settings: PlatformSettings,
  io: Io,
): Promise<string | null> {
  const { send } = platformClient(settings, io)
  const flow = await byFlowServiceId(send, 'flows', flowId)
  const targetId = textAt(flow, 'targetConnectionIds', 0) ?? ''
  return textAt(await byFlowServiceId(send, 'targetConnections', targetId), 'params', 'dataSetId')
}

function getter(settings: PlatformSettings, io: Io): PlatformGet {
  const fetch = (url: string, init: RequestInit) => io.fetch(url, init)
  let token: string | null = null
  const current = async (refused: string | null) => {
    if (token === null || token === refused) token = await requestToken(settings, io.fetch)
    return token
  }
  const get = platformGet(settings, current, fetch)
  return async (path) => {
    for (let tried = 1; ; tried += 1) {
      const response = await get(path).catch((error: unknown) => {
        if (tried >= ATTEMPTS || error instanceof PlatformError) throw error
        return null
      })
      const passes = response === null || response.status === 429 || response.status >= 500
      if (!passes || tried >= ATTEMPTS) return response ?? Promise.reject(new Error('no answer'))
      await response?.body?.cancel()
      const asked = response?.headers.get('retry-after') ?? null
      await io.sleep(waitMs(tried, asked, io.random))
    }
  }
}

/** A month of failed batches is many requests, and what passes must not end them. */
const ATTEMPTS = 5

function unusable(error: unknown): Unusable {
  if (!(error instanceof PlatformError)) throw error
  return { wrong: `${error.message}. ${adviceOn(error, VIEW)}`, usage: false }
}

/** What to do about something that could not be read. */
export const explain = (problem: PlatformProblem): string =>
  explainProblem(problem, 'Run the same command again later.')

type Everything = {
  readonly hours: readonly LandedHour[]
  readonly failures: readonly ReadFailure[]
  readonly unnamed: number
  readonly gone: number
  /** Failed batches that could not be read, however often they were asked for. */
  readonly unread: number
}

export const goneWords = (batches: number) =>
  `AEP no longer has the rows of ${batches} failed batches, which it keeps for 30 days: what was in them cannot be sent again.`

export const unreadWords = (batches: number) =>
  `${batches} failed batches could not be read: Adobe did not give out their rows. Run the same command again later.`

/** More than a month of the busiest flow. */
const MAX_READS = 2_000

/** Of everything since then. */
export async function readEverything(
  { get, flow }: Pick<AepSide, 'get' | 'flow'>,
  since: number,
  now: number,
): Promise<Everything | PlatformProblem> {
  const hours = new Map<number, LandedHour>()
  const failures: ReadFailure[] = []
  const counts = { unnamed: 0, gone: 0 }
  // An hour more of counts, to which the first one may have spilled.
  let cursor = { ...landedSince(since), hours: landedSince(since - HOUR_MS).hours }
  for (let reads = 0; reads < MAX_READS; reads += 1) {
    const landed = await readLanded({ get, flow, cursor, now })
    const { problem } = landed
    if (problem && (problem.what !== 'files' || problem.reason === 'permission')) return problem
    for (const hour of landed.hours) hours.set(hour.at, hour)
    failures.push(...landed.failures)
    counts.unnamed += landed.unnamed.reduce((sum, { count }) => sum + count, 0)
    counts.gone += landed.gone
    cursor = landed.cursor
    if (!landed.more) break
  }
  const unread = cursor.unread.length
  return { hours: [...hours.values()].sort((a, b) => a.at - b.at), failures, ...counts, unread }
}

/** By code and place, the most frequent first. */
export function causes(
  failures: readonly Pick<LandedFailure, 'id' | 'code' | 'pointer'>[],
): string {
  const groups = Map.groupBy(failures, ({ code, pointer }) => `${code} ${pointer}`)
  const rows = [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .flatMap((group) => {
      const [first] = group
      if (!first) return []
      const ids = [...new Set(group.map(({ id }) => id))]
      return [[first.code, first.pointer || '?', String(ids.length), idsOf(ids)].map(printable)]
    })
  return table(['code', 'place', 'events', 'such as'], rows)
}

function idsOf(ids: readonly string[]): string {
  const few = ids.slice(0, 3).map((id) => id.replace(/^(.{12}).*?(-\d+)?$/, '$1$2'))
  return few.join(' ') + (ids.length > few.length ? ' …' : '')
}
