/** IMS answers 200 with a token that cannot be one: it must not be kept until it would expire. */
import { arrivals, type Phase, postMany, settledLedger, wait } from './phase.ts'

const BAD_TOKENS = {
  'with a line feed': 'token\nx-injected: yes',
  'of 100 kB': 'x'.repeat(100_000),
  'of nothing but a space': ' ',
}

export const badToken: Phase = {
  name: 'bad-token',
  promise:
    'a token that cannot be one is a failed token request, over as soon as IMS gives a good one',
  format: 'xdm',
  async run(harness) {
    const { adobe } = harness
    const breaches: string[] = []
    for (const [name, token] of Object.entries(BAD_TOKENS)) {
      adobe.revoke()
      const body = { access_token: token, token_type: 'bearer', expires_in: 86_399 }
      adobe.rule({ on: 'token', answer: { type: 'status', status: 200, body } })
      const stored = await postMany(harness, 5)
      await wait(500)
      adobe.clearRules()
      const missing = await arrivals(harness, [...stored, ...(await postMany(harness, 5))])
      breaches.push(...missing.map((text) => `a token ${name}: ${text}`))
    }
    await wait(500)
    return [...breaches, ...(await settledLedger(harness))]
  },
}
