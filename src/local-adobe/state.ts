/** State: everything that one local Adobe holds, with the clock and the functions passed to it. */
import type { Sleep } from './connection.ts'
import type { Ims } from './ims.ts'
import type { Plan } from './plan.ts'
import type { PrivacyJob } from './platform/privacy.ts'
import type { Store } from './platform/store.ts'
import type { Violation } from './problem.ts'
import type { Settings } from './settings.ts'
import type { Lake } from './streaming/lake.ts'
import type { Destination } from './streaming/message.ts'
import type { Xactions } from './streaming/responses.ts'

export type State = {
  /** Replaced as a whole when it changes. */
  settings: Settings
  readonly plan: Plan
  readonly lake: Lake
  readonly ims: Ims
  readonly xactions: Xactions
  /** How far this clock is ahead of the one that was passed in. */
  readonly clock: { aheadMs: number }
  readonly now: () => number
  readonly sleep: Sleep
  readonly validate: (entity: unknown) => readonly Violation[]
  readonly keepBodies: boolean
  /** The resources of the Platform APIs. */
  readonly platform: Store
  readonly privacyJobs: PrivacyJob[]
  /** Set while handling a request to an inlet of the Flow Service. */
  readonly destination?: Destination
}

/** Clears lake, logs, privacy jobs, rules and scripts; keeps settings, tokens and Platform resources. */
export function forget({ lake, plan, privacyJobs }: State): void {
  lake.clear()
  privacyJobs.length = 0
  plan.clearRules()
  plan.clearScripts()
}
