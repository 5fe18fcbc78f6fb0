/** Operators delete, erase, redrive, pause and deploy while webhooks come and AEP fails: none of it loses or resends an event. */
import { askedOf } from '../harness.ts'
import { until } from '../recovery.ts'
import {
  type Answered,
  ARRIVAL_TIMEOUT_MS,
  type Phase,
  post,
  settledLedger,
  wait,
} from './phase.ts'

const TRAFFIC_MS = 5_000
/** And so much more where an operator has got nowhere until then. */
const MOST_TRAFFIC_MS = 60_000
const VISITORS = 7
/** The one who is erased, again and again, and never suppressed. */
const ERASED = 'visitor-erased'
/** A request that was under way, and its answer. */
const UNDER_WAY_MS = 1_500

/** `answeredAt`: `null` while the operator cannot know whether it was done. */
type Ending = { id: string; beganAt: number; answeredAt: number | null }

export const operators: Phase = {
  name: 'operators',
  promise: 'what operators do beside the traffic ends the events they meant, and no other',
  format: 'raw',
  async run(harness) {
    const { adobe } = harness
    adobe.rule({ answer: { type: 'status', status: 503 }, probability: 0.6 })
    const posted: (Answered & { visitor: string })[] = []
    const endings: Ending[] = []
    const erasures: Omit<Ending, 'id'>[] = []
    const endAt = Date.now() + TRAFFIC_MS
    const deleted = () => endings.filter(({ answeredAt }) => answeredAt !== null).length
    const erased = () => erasures.filter(({ answeredAt }) => answeredAt !== null).length
    /** On a machine that is busy with something else, until each operator has got as far as once. */
    const isOver = () =>
      Date.now() >= endAt + MOST_TRAFFIC_MS ||
      (Date.now() >= endAt && deleted() > 0 && erased() > 0 && harness.worker.kills > 0)
    const repeat = async (everyMs: number, act: () => Promise<unknown>) => {
      // A deploy cuts an operator's request off as it does a webhook's.
      while (!isOver()) {
        await act().catch(() => undefined)
        await wait(everyMs)
      }
    }
    const operate = async (path: string, body: unknown) =>
      (await harness.admin()).operate(path, body)
    await Promise.all([
      repeat(20, async () => {
        const visitor = posted.length % VISITORS === 0 ? ERASED : `visitor-of-${posted.length}`
        posted.push({
          ...(await post(harness, `operators ${posted.length}`, { visitor })),
          visitor,
        })
      }),
      repeat(150, async () => {
        const { id = '' } = posted.findLast(({ status }) => status === 202) ?? {}
        const ending: Ending = { id, beganAt: Date.now(), answeredAt: null }
        endings.push(ending)
        const isThere = await (await harness.admin()).erase(id)
        if (isThere) ending.answeredAt = Date.now()
        else endings.splice(endings.indexOf(ending), 1)
      }),
      repeat(400, async () => {
        const erasure: Omit<Ending, 'id'> = { beganAt: Date.now(), answeredAt: null }
        erasures.push(erasure)
        await operate('/erase', { visitor: ERASED, suppressDays: 0 })
        erasure.answeredAt = Date.now()
      }),
      repeat(250, () => operate('/redrive', { state: 'dead' })),
      repeat(300, async () => {
        await operate('/pause', {})
        await wait(100)
        await operate('/resume', {})
      }),
      repeat(1_600, async () => {
        // More seldom where a deploy cut off whatever was asked for before.
        await wait(deleted() > 0 ? 800 : 800 * harness.worker.lives)
        await harness.deploy({ RETRY_CAP_MS: String(400 + harness.worker.lives) })
      }),
    ])
    adobe.clearRules()
    // A deploy may have cut the last one off.
    await until(
      () =>
        operate('/resume', {}).then(
          () => true,
          () => false,
        ),
      ARRIVAL_TIMEOUT_MS,
    )

    const mayBeGone = ({ id, visitor, at }: (typeof posted)[number]) =>
      endings.some((ending) => ending.id === id) ||
      (visitor === ERASED && erasures.some(({ answeredAt }) => (answeredAt ?? Infinity) >= at))
    const owed = posted.filter((each) => isStored(each) && !mayBeGone(each))
    const missing = () => {
      const there = new Set(adobe.lake.map(({ _id }) => _id))
      return owed.filter(({ id }) => !there.has(id))
    }
    await until(() => missing().length === 0, ARRIVAL_TIMEOUT_MS)
    await wait(500)
    const breaches = missing().map(({ id }) => `${id} is not in AEP, and no operator ended it`)
    for (const { id, at, visitor, status } of posted) {
      const ended = [
        ...endings.filter((ending) => ending.id === id),
        ...(visitor === ERASED && status === 202
          ? erasures.filter(({ beganAt }) => beganAt > at + UNDER_WAY_MS)
          : []),
      ].find(({ answeredAt }) => answeredAt !== null)
      const last = askedOf(harness, id).at(-1)?.at ?? 0
      const since = (ended?.answeredAt ?? Infinity) + UNDER_WAY_MS
      if (last > since)
        breaches.push(`${id} was sent ${last - since + UNDER_WAY_MS} ms after it was ended`)
    }
    for (const [what, count] of [
      ['deleted', deleted()],
      ['persons erased', erased()],
      ['deploys', harness.worker.kills],
    ] as const) {
      if (count === 0) breaches.push(`no operator got so far: ${what}`)
    }
    return [...breaches, ...(await settledLedger(harness))]
  },
}

const isStored = ({ status }: Answered) => status >= 200 && status < 300
