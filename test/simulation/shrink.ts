/** Makes a failing plan shorter: drops faults and webhooks as long as the same check still fails. */
import { type Plan, startOf } from './plan.ts'
import { World } from './world.ts'

type Fails = (plan: Plan) => Promise<boolean>

/** `check`: the breach that must stay. Tries at most so many runs. */
export async function shrunk(
  plan: Plan,
  { check, at }: { check: string; at: number },
  most = 200,
): Promise<Plan> {
  let runs = 0
  const fails: Fails = async (candidate) => {
    runs += 1
    try {
      const { breaches } = await new World(candidate).run()
      return breaches.some((each) => each.check === check)
    } catch {
      return false
    }
  }
  const budget = () => runs < most
  // What comes after it, first.
  const untilThen = {
    ...plan,
    ms: Math.min(plan.ms, at + 1_000),
    faults: plan.faults.filter((fault) => startOf(fault) <= at),
    webhooks: plan.webhooks.filter((webhook) => webhook.at <= at),
  }
  let shortest = (await fails(untilThen)) ? untilThen : plan
  shortest = await dropping(shortest, 'webhooks', fails, budget, 8)
  shortest = await dropping(shortest, 'faults', fails, budget)
  shortest = await dropping(shortest, 'webhooks', fails, budget)
  shortest = await dropping(shortest, 'faults', fails, budget)
  const last = Math.max(
    ...shortest.faults.map((fault) => ('to' in fault ? fault.to : startOf(fault))),
    ...shortest.webhooks.map(({ at }) => at),
  )
  const shorter = { ...shortest, ms: Math.min(shortest.ms, last + 60_000) }
  return (await fails(shorter)) ? shorter : shortest
}

/** Halves, then quarters, then single ones (delta debugging). */
async function dropping(
  plan: Plan,
  what: 'faults' | 'webhooks',
  fails: Fails,
  budget: () => boolean,
  /** Pieces no smaller than this share. */
  finest = Number.POSITIVE_INFINITY,
): Promise<Plan> {
  let current = plan
  const least = Math.max(1, plan[what].length / finest)
  for (let size = Math.ceil(plan[what].length / 2); size >= least; size = Math.floor(size / 2)) {
    for (let from = 0; from < current[what].length && budget(); ) {
      const left = current[what].filter((_, index) => index < from || index >= from + size)
      const candidate = { ...current, [what]: left }
      if (await fails(candidate)) current = candidate
      else from += size
    }
    if (!budget()) break
  }
  return current
}
