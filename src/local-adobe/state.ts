/** State: everything one stand-in knows, and what it was given from outside (time, validation). */
import type { Sleep } from './connection.ts'
import type { Ims } from './ims.ts'
import type { Plan } from './plan.ts'
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
  readonly now: () => number
  readonly sleep: Sleep
  readonly validate: (entity: unknown) => readonly Violation[]
  readonly keepBodies: boolean
  /** What has been created through the Platform APIs. */
  readonly platform: Store
  /** Only while a request to an inlet that the Flow Service gave out is handled. */
  readonly destination?: Destination
}

/** Settings, tokens and what the Platform APIs hold stay. */
export function forget({ lake, plan }: State): void {
  lake.clear()
  plan.clearRules()
  plan.clearScripts()
}
