/**
 * Phases: the hard situations by name. Each takes some seconds. `IN_EVERY_DRILL` are acted out at the end of every drill,
 * all of them by `--phase NAME`.
 */
import { badToken } from './bad-token.ts'
import { clockJump } from './clock-jump.ts'
import { diskFull } from './disk-full.ts'
import { encoderFault } from './encoder-fault.ts'
import { oneKindRefused } from './one-kind-refused.ts'
import { operators } from './operators.ts'
import type { Phase } from './phase.ts'
import { refusesEverything } from './refuses-everything.ts'
import { splitThrottled } from './split-throttled.ts'
import { throttledEvent } from './throttled-event.ts'

export const PHASES: readonly Phase[] = [
  encoderFault,
  splitThrottled,
  clockJump,
  throttledEvent,
  badToken,
  refusesEverything,
  oneKindRefused,
  operators,
  diskFull,
]

export const IN_EVERY_DRILL: readonly Phase[] = [
  encoderFault,
  splitThrottled,
  badToken,
  refusesEverything,
  oneKindRefused,
  operators,
  diskFull,
]
