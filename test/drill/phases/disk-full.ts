/** The disk is full while AEP is down: webhooks get 503, and `/health` and the alerts say so, until there is room again. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Harness } from '../harness.ts'
import { until } from '../recovery.ts'
import { arrivals, type Phase, post, settledLedger, wait } from './phase.ts'

const FULL_MS = 5_000
const ALERT_TIMEOUT_MS = 30_000

export const diskFull: Phase = {
  name: 'disk-full',
  promise:
    'a full disk is 503 for webhooks and for /health, and an alert, and is over when there is room',
  format: 'raw',
  tampered: true,
  async run(harness) {
    const alerts = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
    await once(alerts, 'listening')
    const { port } = alerts.address() as AddressInfo
    await harness.deploy({ ALERT_WEBHOOK_URL: `http://127.0.0.1:${port}/` })
    try {
      return await fillDisk(harness)
    } finally {
      alerts.closeAllConnections()
      alerts.close()
    }
  },
}

async function fillDisk(harness: Harness): Promise<string[]> {
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
  stored.push(...(await postFor(harness, 3_500)))
  breaches.push(...(await alerted(harness, 'storage', 'resolved')))
  breaches.push(...(await alerted(harness, 'lost', 'firing')))
  adobe.clearRules()
  breaches.push(...(await arrivals(harness, stored)))
  await wait(500)
  return [...breaches, ...(await settledLedger(harness))]
}

async function postFor(harness: Harness, ms: number) {
  const posted = []
  for (const endAt = Date.now() + ms; Date.now() < endAt; await wait(50)) {
    posted.push(await post(harness))
  }
  return posted
}

/** The cron trigger evaluates alerts. Each is sent once, however often it is evaluated. */
async function alerted(harness: Harness, name: string, state: string): Promise<string[]> {
  let count = 0
  const evaluated = async () => {
    await tamper(harness, 'cron')
    const alert = `"event":"alert","name":"${name}","state":"${state}","sent":true`
    count = (await harness.worker.lines((line) => line.includes(alert))).length
    return count > 0
  }
  await until(evaluated, ALERT_TIMEOUT_MS)
  await evaluated()
  return count === 1 ? [] : [`${count} alerts: ${name} ${state}`]
}

async function tamper({ worker }: Harness, what: string): Promise<void> {
  await fetch(`${await worker.url()}/_drill/${what}`, { method: 'POST' })
}
