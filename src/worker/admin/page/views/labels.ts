/** The page's names for states, error codes and actions. */

export const STATES = {
  pending: 'Waiting',
  dead: 'Dead',
  quarantined: 'Quarantined',
  delivered: 'Delivered',
} as const

/** What an event of this state is, and what can be done with it. */
export const MEANINGS = {
  pending: 'Stored, and sent as soon as AEP takes it.',
  dead: 'Refused by AEP for good. Correct what it refuses (a mapping, a schema), then redrive.',
  quarantined:
    'Not a valid event, and never sent. Redriving validates again, after an upgrade for instance.',
} as const

export const CODES: { readonly [code: string]: string } = {
  rejected: 'AEP refused it',
  'unknown-answer': 'AEP’s answer was unclear',
  credentials: 'AEP refused our credentials',
  configuration: 'AEP does not know the address',
  throttled: 'AEP asked us to slow down',
  unavailable: 'AEP failed',
  timeout: 'AEP did not answer in time',
  network: 'AEP could not be reached',
  token: 'No access token',
  internal: 'The relay failed',
  'malformed-json': 'Not JSON in UTF-8',
  'invalid-payload': 'Not of the documented shape',
  'too-many-values': 'Too many values',
  'processing-failed': 'Could not be processed',
}

export const codeWords = (code: string) => CODES[code] ?? code

/** `transcript 300, feedback 44` */
export function list(counts: Readonly<Partial<Record<string, number>>>): string {
  return Object.entries(counts)
    .map(([name, count = 0]) => `${name} ${count.toLocaleString('en-US')}`)
    .join(', ')
}
