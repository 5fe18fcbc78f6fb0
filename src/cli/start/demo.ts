/**
 * Demo: an outage of AEP from its beginning to its end, each step explained and checked.
 *
 * Promises: true only if every check held: webhooks of the outage were stored and not refused, all of them reached AEP
 * once it was back, and the ledger balances. Looks from outside only, over HTTP, as an operator would.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { mark, paint, wrap } from '../lib/style.ts'
import {
  belongsTo,
  bodyOf,
  postWebhook,
  SAMPLES,
  type Sample,
  type WebhookAnswer,
} from './samples.ts'

export type DemoWorld = {
  readonly worker: string
  /** The local Adobe; its control routes are under `/_/`. */
  readonly aep: string
  readonly key: string
  readonly adminToken: string
  readonly fetch: typeof fetch
  readonly print: (text: string) => void
  readonly quit: AbortSignal
  /** How long the outbox may take to empty after AEP is back. */
  readonly recoveryMs: number
}

/** Shorter waits between attempts than in production (60 s at most), so that nobody has to wait for the end. */
export const DEMO_VARIABLES = { RETRY_BASE_MS: '250', RETRY_CAP_MS: '2000' }

const LEDGER = ['accepted', 'delivered', 'pending', 'dead', 'quarantined', 'erased'] as const
type Ledger = Record<(typeof LEDGER)[number], number>

const POLL_MS = 200

export async function runDemo(world: DemoWorld): Promise<boolean> {
  const { aep, print } = world
  const [first, ...others] = SAMPLES as [Sample, ...Sample[]]
  const failed: string[] = []
  let steps = 0
  const step = (title: string, text: string, command?: string) => {
    steps += 1
    print(`\n${paint('bold', `${steps}. ${title}`)}\n${wrap(text, '   ')}`)
    if (command) print(paint('cyan', `   ${command}`))
  }
  const check = (ok: boolean, claim: string) => {
    if (!ok) failed.push(claim)
    print(`   ${mark(ok)} ${claim}`)
  }

  step('AEP works', 'The Worker sends each webhook to AEP at once, inside its request.')
  const forwarded = await post(first, world)
  check(said(forwarded, 200, 'forwarded'), `${first.path}: ${described(forwarded)}`)
  check(await inLake([forwarded], world), 'AEP has it')

  const rule = { answer: { type: 'status', status: 503 } }
  step(
    'AEP fails',
    'From here on it answers 503 to everything, as in an outage.',
    `curl ${aep}/_/rule \\
     --data '${JSON.stringify(rule)}'`,
  )
  const broken = await control('rule', world, { method: 'POST', body: JSON.stringify(rule) })
  check(broken.ok, 'the local AEP fails')

  step(
    'Webhooks keep coming',
    'Chatlio does not send a webhook twice, so each is written to the outbox before it is answered.',
  )
  const buffered: WebhookAnswer[] = []
  for (const sample of others) {
    const answer = await post(sample, world)
    buffered.push(answer)
    check(said(answer, 202, 'buffered'), `${sample.path}: ${described(answer)}`)
  }
  check((await lakeIds(world)).length === 1, 'AEP has none of them')

  step(
    'The relay reports it',
    '/health says what is wrong. Its status stays 200, since webhooks are still taken.',
    `curl ${world.worker}/health`,
  )
  // One answer of /health serves for two seconds, so the first may be from before the outage.
  await until(async () => (await health(world)).reasons.includes('upstream'), world)
  const during = await health(world)
  check(during.ok && during.reasons.includes('upstream'), `/health: ${during.text}`)
  const waiting = await status(world)
  check(waiting.pending === others.length, `/admin/status: ${waiting.pending} events pending`)

  step(
    'AEP returns',
    'Nobody touches the relay. It asks AEP again with one event at a time, and sends the rest as soon as one is accepted.',
    `curl -X DELETE ${aep}/_/rules`,
  )
  const returned = await control('rules', world, { method: 'DELETE' })
  check(returned.ok, 'the local AEP works again')
  const empty = await until(async () => (await status(world)).pending === 0, world)
  check(empty, 'the outbox is empty')
  check(
    await inLake(buffered, world),
    `AEP has all ${buffered.length}, under the ids answered before`,
  )
  const healthy = await until(async () => (await health(world)).text === '{"status":"ok"}', world)
  check(healthy, '/health: ok')

  step(
    'The ledger balances',
    'It counts what entered the outbox; the first webhook went straight through.',
  )
  const ledger = await status(world)
  const { accepted, delivered, pending, dead, quarantined, erased } = ledger
  const balances = accepted === delivered + pending + dead + quarantined + erased
  check(
    balances && accepted === others.length && delivered === others.length,
    `${accepted} accepted = ${delivered} delivered + ${pending} pending + ${dead} dead`,
  )
  print(`       + ${quarantined} quarantined + ${erased} erased`)

  print(
    failed.length === 0
      ? `\n${paint('green', 'Nothing was lost.')}`
      : `\n${paint('red', `${failed.length} of these did not happen:`)}\n${failed.map((claim) => `  ${claim}`).join('\n')}`,
  )
  return failed.length === 0
}

async function post(sample: Sample, { worker, key, fetch, quit }: DemoWorld) {
  return postWebhook(`${worker}${sample.path}?key=${key}`, await bodyOf(sample), fetch, quit)
}

function said({ httpStatus, outcome }: WebhookAnswer, status: number, word: string): boolean {
  return httpStatus === status && outcome === word
}

function described({ httpStatus, outcome }: WebhookAnswer): string {
  return `${httpStatus} ${outcome}`
}

/** `path` below the control routes of the local Adobe. */
function control(path: string, { aep, fetch, quit }: DemoWorld, init: RequestInit = {}) {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${aep}/_/${path}`, { ...init, headers, signal: quit })
}

async function lakeIds(world: DemoWorld): Promise<(string | null)[]> {
  const answer = await control('lake?ids=1', world)
  const { ids } = (await answer.json()) as { ids: (string | null)[] }
  return ids
}

/** Whether AEP has each of these. A repeat under the same id counts once. */
async function inLake(answers: readonly WebhookAnswer[], world: DemoWorld): Promise<boolean> {
  const ids = await lakeIds(world)
  return answers.every(({ id }) => ids.some((_id) => belongsTo(_id, id)))
}

async function health({ worker, fetch, quit }: DemoWorld) {
  const response = await fetch(`${worker}/health`, { signal: quit })
  const text = await response.text()
  const { reasons = [] } = JSON.parse(text) as { reasons?: string[] }
  return { ok: response.ok, reasons, text }
}

async function status({ worker, adminToken, fetch, quit }: DemoWorld): Promise<Ledger> {
  const headers = { authorization: `Bearer ${adminToken}` }
  const response = await fetch(`${worker}/admin/status`, { headers, signal: quit })
  if (!response.ok) throw new Error(`/admin/status answered ${response.status}.`)
  return (await response.json()) as Ledger
}

async function until(
  holds: () => Promise<boolean>,
  { recoveryMs, quit }: DemoWorld,
): Promise<boolean> {
  const deadline = Date.now() + recoveryMs
  while (!(await holds())) {
    if (Date.now() >= deadline) return false
    await delay(POLL_MS, undefined, { signal: quit })
  }
  return true
}
