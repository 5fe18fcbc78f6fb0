/** AEP refuses everything, or single events: raw, where the dataflow is what can be wrong. */
import { refusingProperties } from './refusing.ts'

refusingProperties(
  [{ variable: 'AEP_FLOW_ID', setting: 'flowId', ours: 'local-flow', other: 'another-flow' }],
  {},
)
