/**
 * Evidence: everything the oracle judges by, gathered after all faults have ended: posts and their answers, the
 * records in AEP, the outbox as the Worker lists it, and the Worker's log.
 */
import type { LakeRecord } from '../../src/local-adobe/streaming/lake.ts'
import type { Admin, State, Status } from './admin.ts'
import type { Bounds } from './bounds.ts'
import { boundsOf, type Harness } from './harness.ts'
import type { Options } from './options.ts'
import type { Post } from './poster.ts'
import { Random } from './random.ts'
import { type Recovered, until } from './recovery.ts'
import { makeWebhook } from './webhooks.ts'

export type Evidence = {
  readonly posts: readonly Post[]
  readonly lake: readonly LakeRecord[]
  /** Ids of all events sent to AEP, accepted or not. */
  readonly asked: ReadonlySet<string>
  readonly recovered: readonly Recovered[]
  /** The last posts, up to the first with the answer of a healthy relay. */
  readonly fresh: readonly Post[]
  readonly status: Status
  /** Ids that the outbox lists, by state. */
  readonly listed: Readonly<Record<State, readonly string[]>>
  /** Log lines in which the outbox has pending events but no next attempt. */
  readonly idle: readonly string[]
  readonly bounds: Bounds
  /** When that life of the Worker ended, in epoch milliseconds; `Infinity` while it runs. */
  readonly endOf: (life: number) => number
}

const EMPTY_TIMEOUT_MS = 60_000
/** The first may be the one from which the Worker learns that AEP is back. */
const MAX_FRESH = 5

export async function gather(
  { seed, storeFirst }: Options,
  harness: Harness,
  recovered: readonly Recovered[],
): Promise<Evidence> {
  const { adobe, worker, poster, format } = harness
  const admin = await harness.admin()
  await until(() => isEmpty(admin), EMPTY_TIMEOUT_MS)
  const fresh: Post[] = []
  const random = new Random(seed, 'fresh')
  while (fresh.length < MAX_FRESH && fresh.at(-1)?.answer?.status !== (storeFirst ? 202 : 200)) {
    const webhook = makeWebhook(-1 - fresh.length, null, random)
    fresh.push(await poster.post({ webhook, sender: { kind: 'waits', delayMs: 0 }, pauseMs: 0 }))
  }
  await until(() => isEmpty(admin), EMPTY_TIMEOUT_MS)
  return {
    posts: poster.posts,
    lake: adobe.lake,
    asked: new Set(
      adobe.requests
        .flatMap(({ ids }) => ids.map((_id) => format.eventOf({ _id })))
        .filter((id) => id !== null),
    ),
    recovered,
    fresh,
    status: await admin.status(),
    listed: {
      pending: await admin.ids('pending'),
      dead: await admin.ids('dead'),
      quarantined: await admin.ids('quarantined'),
    },
    idle: await worker.lines(
      (line) =>
        /"event":"drain".*"nextAttemptAt":null/.test(line) && !line.includes('"pending":0,'),
    ),
    bounds: await boundsOf(
      harness,
      poster.posts.map(({ answer, sentAt, endedAt }) => ({
        id: answer?.id ?? null,
        at: sentAt,
        endedAt,
        status: answer?.status ?? 0,
      })),
    ),
    endOf: (life) => worker.endOf(life),
  }
}

async function isEmpty(admin: Admin): Promise<boolean> {
  return (await admin.status()).pending === 0
}
