/** What `npm run verify` makes of what happened to its samples. */
import { describe, expect, it } from 'vitest'
import { diagnose, type Findings } from '../../src/cli/verify/diagnosis.ts'
import { type AepError, type SampleOutcome, sampleRow } from '../../src/cli/verify/sample.ts'

const commands = {
  config: 'relay.toml',
  deploy: 'npm run deploy -- --env staging',
  tail: 'npm run tail',
  secret: (name: string) => `npx wrangler secret put ${name}`,
}

function stored(error: Partial<AepError> | null, end: SampleOutcome['end'] = 'waiting'): Findings {
  const sample: SampleOutcome = {
    kind: 'transcript',
    reply: { by: 'relay', status: 202, body: { status: 'buffered' } },
    end,
    error: error && { code: 'rejected', status: 400, message: '', answer: '', ...error },
  }
  return { samples: [sample], hold: null, reasons: [], problems: [], commands }
}

/** As `requestToken` of the Worker names them. */
const token = (message: string, status: number) => ({ code: 'token', status, message })
const IMS_REFUSES = 'IMS refused the credentials with 400'

const problem = (message: string) =>
  JSON.stringify({ title: 'Invalid XDM Message Format', report: { message } })
const WHERE = 'inletId: [4f9b] imsOrgId: [ABC@AdobeOrg]'

describe('the cause', () => {
  it.each<[string, Findings, string]>([
    [
      'flow',
      stored({ answer: problem(`${WHERE} Message has an absent or wrong flow id`) }),
      'Wrong flow id',
    ],
    [
      'organization',
      stored({ answer: problem(`${WHERE} Message has an absent or wrong ims org in the header`) }),
      'Wrong organization',
    ],
    [
      'the event, in AEP’s words',
      stored({ answer: problem(`${WHERE} Message is invalid`) }),
      'AEP refuses the events',
    ],
    [
      'credentials',
      stored({ code: 'credentials', status: 403, message: 'Authorization' }),
      'AEP refuses the credentials (403)',
    ],
    [
      'credentials, at the login',
      { ...stored(token(IMS_REFUSES, 400)), hold: 'credentials' },
      "Adobe's login refuses the credentials (400)",
    ],
    [
      'outage',
      stored({ code: 'timeout', status: null, message: 'AEP did not answer in time' }),
      'AEP is down, slow or throttling (AEP did not answer in time)',
    ],
    [
      'address',
      stored({ code: 'configuration', status: 404, message: 'Inlet' }),
      'no streaming endpoint at AEP_ENDPOINT',
    ],
    ['setting', { ...stored(null), reasons: ['configuration'] }, 'names it'],
    [
      'setting, which the relay names',
      { ...stored(null), problems: [{ variable: 'AEP_ORG_ID', expected: 'a value' }] },
      'AEP_ORG_ID (expected: a value). Correct it in relay.toml, then `npm run deploy -- --env staging`',
    ],
    [
      'secret, which never belongs into the file',
      { ...stored(null), problems: [{ variable: 'AEP_CLIENT_SECRET', expected: 'a value' }] },
      '`npx wrangler secret put AEP_CLIENT_SECRET` asks for a secret',
    ],
    ['every event refused', { ...stored(null), hold: 'rejecting' }, 'AEP refuses every event'],
    ['pause', { ...stored(null), hold: 'paused' }, 'Resume on its page (/admin)'],
    ['not known without the token', stored(null), 'set ADMIN_TOKEN'],
  ])('is found: %s', (_, findings, words) => {
    expect(diagnose(findings)).toContain(words)
  })

  it('is nothing when everything was relayed', () => {
    expect(diagnose(stored(null, 'relayed'))).toBeNull()
  })
})

describe('the row of a sample', () => {
  it.each([
    ['a title', { message: 'Authorization', status: 401 }, 'AEP answered 401: Authorization'],
    ['a status', { message: 'AEP answered 503', status: 503 }, 'AEP answered 503'],
    ['the token endpoint', token('IMS answered 503', 503), 'IMS answered 503'],
    ['the same, which refuses', token(IMS_REFUSES, 400), IMS_REFUSES],
    ['none', { message: 'AEP did not answer in time', status: null }, 'AEP did not answer in time'],
  ])('says who answered what, from %s', (_, error, said) => {
    const [sample] = stored(error).samples
    expect(sample && sampleRow(sample).text).toBe(`stored, not relayed yet: ${said}`)
  })
})
