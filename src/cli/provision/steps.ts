/** Which steps a run takes, in order: each needs only what comes before it. */
import type { Step } from './step.ts'
import { BASE, SOURCE, TARGET } from './steps/connections.ts'
import { DATASET } from './steps/dataset.ts'
import { FLOW } from './steps/flow.ts'
import { DESCRIPTORS, NAMESPACE } from './steps/identity.ts'
import { MAPPING } from './steps/mapping.ts'
import { FIELD_GROUP, SCHEMA, UNION } from './steps/schema.ts'
import { usesHttpApi, type Wanted } from './wanted.ts'

export function stepsFor(wanted: Wanted): readonly Step[] {
  return [
    NAMESPACE,
    FIELD_GROUP,
    SCHEMA,
    ...DESCRIPTORS,
    ...(wanted.profile ? [UNION] : []),
    DATASET,
    ...(usesHttpApi(wanted) ? [BASE] : []),
    SOURCE,
    TARGET,
    ...(wanted.format === 'raw' ? [MAPPING] : []),
    FLOW,
  ]
}
