/**
 * Evidence: everything that the promises are judged by, gathered when the trouble is over: what was posted and
 * answered, what AEP has, what the Worker says of its outbox, and what it wrote into its log.
 */
import type { LakeRecord } from '../../src/local-adobe/streaming/lake.ts'
import type { Admin, State, Status } from './admin.ts'
import type { Harness } from './harness.ts'
import type { Options } from './options.ts'
import type { Post } from './poster.ts'
import { Random } from './random.ts'
import { type Recovered, until } from './recovery.ts'
import { makeWebhook } from './webhooks.ts'

export type Evidence = {
  readonly posts: readonly Post[]
  readonly lake: readonly LakeRecord[]
  /** Ids of events that AEP was asked to take, whether it did or not. */
  readonly asked: ReadonlySet<string>
  readonly recovered: readonly Recovered[]
  /** What was posted last, until one was answered as on any good day. */
  readonly fresh: readonly Post[]
  readonly status: Status
  /** What the outbox lists. */
  readonly listed: Readonly<Record<State, readonly string[]>>
  /** Lines of the log in which a shard has events waiting and no moment at which it will send them. */
  readonly idle: readonly string[]
  /** When a life of the Worker ended; `Infinity`: not yet. */
  readonly endOf: (life: number) => number
}

const EMPTY_PATIENCE_MS = 20_000
/** The first may be what tells the Worker that all is well again. */
const MAX_FRESH = 5

export async function gather(
  { seed, storeFirst }: Options,
  harness: Harness,
  recovered: readonly Recovered[],
): Promise<Evidence> {
  const { adobe, worker, poster, format } = harness
  const admin = await harness.admin()
  await until(() => isEmpty(admin), EMPTY_PATIENCE_MS)
  const fresh: Post[] = []
  const random = new Random(seed, 'fresh')
  while (fresh.length < MAX_FRESH && fresh.at(-1)?.answer?.status !== (storeFirst ? 202 : 200)) {
    const webhook = makeWebhook(-1 - fresh.length, null, random)
    fresh.push(await poster.post({ webhook, sender: { kind: 'waits', delayMs: 0 }, pauseMs: 0 }))
  }
  await until(() => isEmpty(admin), EMPTY_PATIENCE_MS)
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
    endOf: (life) => worker.endOf(life),
  }
}

async function isEmpty(admin: Admin): Promise<boolean> {
  return (await admin.status()).pending === 0
}
