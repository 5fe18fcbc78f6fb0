/** The disk is full while AEP is down: webhooks get 503, and `/health` and the alerts say so, until there is room again. */
import type { Harness } from '../harness.ts'
import { until } from '../recovery.ts'
import { arrivals, type Phase, post, settledLedger, wait } from './phase.ts'

const FULL_MS = 5_000
const ALERT_TIMEOUT_MS = 5_000

export const diskFull: Phase = {
  name: 'disk-full',
  promise:
    'a full disk is 503 for webhooks and for /health, and an alert, and is over when there is room',
  format: 'raw',
  tampered: true,
  async run(harness) {
    const { adobe, monitor } = harness
    adobe.rule({ answer: { type: 'status', status: 503 } })
    const stored = await postFor(harness, 500)
    await tamper(harness, 'disk?full=yes')
    const refused = await postFor(harness, FULL_MS)
    const breaches = refused
      .filter(({ status }) => status !== 503)
      .map(({ status }) => `a webhook got ${status}, and nothing can be stored`)
    const { status, reasons } = (await monitor.look()) ?? { status: 0, reasons: [] as string[] }
    if (status !== 503 || !reasons.includes('storage')) {
      breaches.push(`/health answered ${status} ${reasons.join(' ')}, and nothing can be stored`)
    }
    breaches.push(...(await alerted(harness, 'storage', 'firing')))
    await tamper(harness, 'disk')
    stored.push(...(await postFor(harness, 4_000)))
    breaches.push(...(await alerted(harness, 'storage', 'resolved')))
    breaches.push(...(await alerted(harness, 'lost', 'firing')))
    adobe.clearRules()
    breaches.push(...(await arrivals(harness, stored)))
    await wait(500)
    return [...breaches, ...(await settledLedger(harness))]
  },
}

async function postFor(harness: Harness, ms: number) {
  const posted = []
  for (const endAt = Date.now() + ms; Date.now() < endAt; await wait(50)) {
    posted.push(await post(harness))
  }
  return posted
}

/** The cron trigger evaluates alerts; each one that is due is a line in the log. */
async function alerted(harness: Harness, name: string, state: string): Promise<string[]> {
  const isTold = async () => {
    await tamper(harness, 'cron')
    const lines = await harness.worker.lines((line) => line.includes('"event":"alert"'))
    return lines.some((line) => line.includes(`"${name}"`) && line.includes(`"${state}"`))
  }
  let told = false
  await until(async () => {
    told = await isTold()
    return told
  }, ALERT_TIMEOUT_MS)
  return told ? [] : [`no alert: ${name} ${state}`]
}

async function tamper({ worker }: Harness, what: string): Promise<void> {
  await fetch(`${await worker.url()}/_drill/${what}`, { method: 'POST' })
}
