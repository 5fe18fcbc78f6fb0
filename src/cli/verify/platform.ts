/**
 * Platform: what can be checked on Adobe's side with credentials for the Platform APIs: that the mapping is as it should
 * be, and that the dataset got the records. `verify` asks through this type and knows nothing of those APIs.
 */
import type { Row } from './row.ts'

export type Platform = {
  /** `since`: before the first sample was sent. `relayed`: how many of them AEP has accepted. */
  check(sent: { readonly since: Date; readonly relayed: number }): Promise<readonly Row[]>
}

/** Without credentials. */
export const NO_PLATFORM: Platform = {
  check: async () => [
    {
      check: 'mapping, dataset',
      ok: null,
      text: 'not checked: look at the dataset in AEP, some minutes from now',
    },
  ],
}
