/** Promise 8, over the wire: what the cron trigger sends, to whom, and what an operator can see of it. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { Alerts, type AlertsDeps } from '../../src/worker/outbox/alerts.ts'
import {
  DAY,
  HEARTBEAT,
  HOUR,
  MINUTE,
  namespaceWithout,
  PAGERDUTY,
  type Receiver,
  startReceiver,
  WEBHOOK,
} from './alerts-support.ts'
import { refuseWrites } from './outbox-support.ts'
import {
  BY_ITSELF,
  type Clock,
  conversation,
  drainAll,
  eachTest,
  KEY,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

let aep: LocalAdobe
let clock: Clock
let relay: Relay
let logs: string[]
let receiver: Receiver

const SETTINGS = {
  ALERT_WEBHOOK_URL: WEBHOOK,
  ALERT_HEARTBEAT_URL: HEARTBEAT,
  PUBLIC_URL: 'https://relay.example.com/',
}

eachTest((world) => {
  ;({ aep, clock, logs } = world)
  receiver = startReceiver(aep)
  relay = startRelay(SETTINGS)
})

type Alert = {
  name: string
  state: string
  since: string | null
  lastSentAt: string | null
  lastError: string | null
}

async function alertNamed(name: string): Promise<Alert | undefined> {
  const { body } = await relay.get('/alerts')
  return (body.alerts as Alert[]).find((each) => each.name === name)
}

async function tick(): Promise<void> {
  clock.advance(5 * MINUTE)
  await relay.scheduled()
}

/** All text of the messages so far, or of one of them. */
function said(index?: number): string {
  const { messages } = receiver
  return JSON.stringify(
    index === undefined ? messages.map(({ body }) => body) : messages[index]?.body,
  )
}

/** AEP refuses the credentials, and one event finds out. */
async function holdCredentials() {
  aep.rule({ answer: { type: 'status', status: 403, body: { title: 'secret words of AEP' } } })
  await relay.post('feedback', conversation())
}

async function recover() {
  aep.clearRules()
  await drainAll(clock)
}

describe('a hold', () => {
  it('is one message at the next run: what, since when, how many, what to do, and a link', async () => {
    await holdCredentials()
    await relay.post('feedback', conversation())
    await tick()
    expect(receiver.messages).toHaveLength(1)
    const [message] = receiver.messages
    expect(message?.url).toBe(WEBHOOK)
    expect(message?.body).toEqual({
      text: expect.stringMatching(
        /^\*Alert: AEP refuses our credentials\* \(hold\)\n[\s\S]*\nhttps:\/\/relay\.example\.com\/admin$/,
      ),
      blocks: [
        { type: 'section', text: { type: 'mrkdwn', text: expect.any(String) } },
        { type: 'section', text: { type: 'mrkdwn', text: expect.any(String) } },
      ],
    })
    const whole = said()
    expect(whole).toContain('2 events pending')
    expect(whole).toContain('credentials 403')
    expect(whole).toMatch(/Since \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
    expect(whole).toContain('wrangler secret put')
    expect(whole).not.toContain('secret words')
  })

  it('is said once, also by another isolate and after the object was evicted, until it is resolved once', async () => {
    await holdCredentials()
    await tick()
    await evictDurableObject(outbox())
    const other = startRelay(SETTINGS)
    clock.advance(5 * MINUTE)
    await other.scheduled()
    expect(receiver.messages).toHaveLength(1)
    expect(await alertNamed('hold')).toMatchObject({ state: 'firing', lastError: null })
    await recover()
    await tick()
    await tick()
    expect(receiver.messages).toHaveLength(2)
    expect(said(1)).toMatch(/Resolved: AEP takes events again.*It lasted \d+ min/)
    expect(await alertNamed('hold')).toMatchObject({ state: 'ok' })
  })

  it('is said once while the outbox answers and cannot keep that it was said', async () => {
    await holdCredentials()
    const mend = await refuseWrites('INSERT ON alerts')
    for (let run = 0; run < 3; run += 1) await tick()
    expect(receiver.messages).toHaveLength(1)
    await mend()
    await tick()
    const other = startRelay(SETTINGS)
    clock.advance(5 * MINUTE)
    await other.scheduled()
    expect(receiver.messages).toHaveLength(1)
  })

  it('is no alert when an operator paused, until events have waited too long', async () => {
    await relay.command('/pause')
    await relay.post('feedback', conversation())
    await tick()
    await tick()
    expect(receiver.messages).toEqual([])
    await tick()
    await tick()
    await tick()
    expect(receiver.messages).toHaveLength(1)
    expect(said(0)).toContain('An operator paused relaying')
  })
})

it('a wrong flow is one message, with the status of AEP, and no refused event', async () => {
  aep.rule({ answer: { type: 'status', status: 400, body: { title: 'words of AEP' } } })
  for (let number = 0; number < 5; number += 1) await relay.post('feedback', conversation())
  await tick()
  expect(receiver.messages).toHaveLength(1)
  expect(said(0)).toContain('AEP refuses every event')
  expect(said(0)).toContain('Reason: rejecting (rejected 400)')
  expect(said(0)).toContain('5 events pending')
  expect(said(0)).not.toMatch(/words of AEP|events? dead/)
  await recover()
  await tick()
  expect(said(1)).toContain('Resolved: AEP takes events again')
})

it('says that no webhook key is usable, since Chatlio is then answered 503', async () => {
  relay = startRelay({ ...SETTINGS, WEBHOOK_KEYS: 'too-short' })
  await tick()
  expect(said(0)).toContain('No webhook key is usable')
  expect(said(0)).not.toContain('too-short')
  expect(receiver.pings).toEqual([`${HEARTBEAT}/fail`])
})

describe('a message that does not get through', () => {
  it('is shown in our words, keeps nothing waiting, and is sent at a later run', async () => {
    receiver.answer = async () => new Response('a secret answer', { status: 404 })
    await holdCredentials()
    await tick()
    expect(await alertNamed('hold')).toMatchObject({
      state: 'firing',
      lastSentAt: null,
      lastError: 'it answered 404',
    })
    await tick()
    expect(receiver.messages).toHaveLength(2)
    receiver.answer = async () => new Response('ok')
    await tick()
    await tick()
    expect(receiver.messages).toHaveLength(3)
    expect((await alertNamed('hold'))?.lastSentAt).not.toBeNull()
    for (const line of logs) expect(line).not.toMatch(/hooks\.example|a secret answer/)
  })

  it.each([
    ['no connection', new TypeError(`fetch failed: ${WEBHOOK}`), 'no connection to it'],
    [
      'no answer in time',
      new DOMException('late', 'TimeoutError'),
      'it did not answer within 10 s',
    ],
  ])('says so where there is %s', async (_, thrown, error) => {
    receiver.answer = () => Promise.reject(thrown)
    await holdCredentials()
    await tick()
    expect((await alertNamed('hold'))?.lastError).toBe(error)
    await recover()
    expect((await relay.get('/status')).body).toMatchObject({ pending: 0, delivered: 1 })
  })

  it('is asked to end after ten seconds, and not to follow a redirect', async () => {
    receiver.answer = async () => Response.redirect('https://elsewhere.example.com/', 302)
    await holdCredentials()
    await tick()
    expect(receiver.messages[0]?.init.signal).toBeInstanceOf(AbortSignal)
    expect(receiver.messages[0]?.init.redirect).toBe('manual')
    expect((await alertNamed('hold'))?.lastError).toBe('it answered 302')
  })
})

describe('refused events', () => {
  it('are sent by kind, code and place, once a cause', async () => {
    // An acceptance before: under settings under which AEP has accepted nothing a refusal would kill nothing.
    await relay.post('feedback', conversation())
    aep.script({ type: 'status', status: 400, body: { title: 'words of AEP' } })
    await relay.post('feedback', conversation())
    await relay.post('transcript', { messages: 'none today' })
    await tick()
    const text = said(0)
    expect(text).toContain('2 events refused')
    expect(text).toContain('1 event dead: feedback, rejected')
    expect(text).toContain('1 event quarantined: transcript, invalid-payload at messages')
    expect(text).not.toContain('words of AEP')
    await relay.post('transcript', { messages: 'none today either' })
    await tick()
    expect(receiver.messages).toHaveLength(1)
    clock.advance(DAY)
    await tick()
    expect(said(1)).toContain('1 event quarantined: transcript')
  })

  it('are counted once: none is left to count afterwards', async () => {
    for (let number = 0; number < 3; number += 1) {
      await relay.post('transcript', { messages: `none ${number}` })
    }
    await tick()
    const rows = () =>
      runInDurableObject(outbox(), (_, { storage }) =>
        storage.sql.exec('SELECT count AS n, uncounted FROM causes').toArray(),
      )
    expect(await rows()).toEqual([{ n: 3, uncounted: 0 }])
  })

  it('do not count when an operator has erased them before the run', async () => {
    const { body } = await relay.post('transcript', { messages: 'none today' })
    await relay.erase(String(body.id))
    await tick()
    expect(said()).not.toContain('refused')
  })
})

describe('webhooks that are turned away', () => {
  const OLD = 'the-old-key-before-the-rotation'
  /** Of another widget, or after a rotation. */
  const withKey = (WEBHOOK_KEYS: string) => startRelay({ ...SETTINGS, WEBHOOK_KEYS })
  const post = (by: Relay, key: string, type = 'application/json') =>
    by.send(`/chatlio/feedback?key=${key}`, {
      method: 'POST',
      body: JSON.stringify(conversation()),
      headers: { 'content-type': type },
    })

  it('for a key that was good, are an alert; strangers are none', async () => {
    const before = withKey(OLD)
    expect((await post(before, OLD)).status).toBe(200)
    await before.report()
    const after = withKey(KEY)
    for (let each = 0; each < 40; each += 1) {
      await post(after, '')
      await post(after, `a-stranger-with-some-key-${each % 3}`)
    }
    await after.report()
    await tick()
    expect(said()).not.toContain('refused')
    for (let each = 0; each < 9; each += 1) await post(after, OLD)
    await after.report()
    await tick()
    expect(said()).not.toContain('refused')
    await post(after, OLD)
    await after.report()
    await tick()
    expect(said()).toContain('10 webhooks refused within an hour')
    expect(await alertNamed('refused')).toMatchObject({ state: 'firing' })
  })

  it('are reported although nothing else comes', async () => {
    const before = withKey(OLD)
    await post(before, OLD)
    await before.report()
    clock.advance(5 * MINUTE)
    const after = withKey(KEY)
    for (let each = 0; each < 12; each += 1) await post(after, OLD)
    clock.advance(10_000)
    await post(after, OLD)
    await tick()
    expect(said()).toMatch(/1\d webhooks refused within an hour/)
  })

  it('for a key that was last good 31 days ago, are none', async () => {
    const before = withKey(OLD)
    await post(before, OLD)
    await before.report()
    clock.advance(31 * DAY)
    const after = withKey(KEY)
    for (let each = 0; each < 20; each += 1) await post(after, OLD)
    await after.report()
    await tick()
    expect(said()).not.toContain('webhooks refused')
  })

  it('with 503 under a good key, are lost, with how many', async () => {
    const OUTBOX = namespaceWithout('shard-0')
    const without = startRelay({ ...SETTINGS, OUTBOX })
    aep.rule({ answer: { type: 'status', status: 503 } })
    for (let each = 0; each < 3; each += 1) expect((await post(without, KEY)).status).toBe(503)
    expect((await post(without, 'a-stranger-with-some-key')).status).toBe(401)
    OUTBOX.missing.clear()
    await without.report()
    await tick()
    expect(said()).toContain('3 webhooks of a good key answered 503')
    expect((await relay.get('/status')).body).toMatchObject({ unavailable: 3 })
    const { body } = await relay.get('/activity')
    const outcomes = (body.points as { outcome: string; count: number }[]).map(
      ({ outcome, count }) => `${outcome} ${count}`,
    )
    expect(outcomes.toSorted()).toEqual(['unauthorized 1', 'unavailable 3'])
  })
})

describe('silence', () => {
  it('is an alert after a day, where a week before there were some; a weekend is none', async () => {
    // Three on each of five days, none on two, and so again.
    for (let day = 0; day < 14; day += 1) {
      for (let each = 0; day % 7 < 5 && each < 3; each += 1) {
        await relay.post('feedback', conversation())
      }
      await relay.report()
      for (let quarter = 0; quarter < 4; quarter += 1) {
        clock.advance(6 * HOUR)
        await relay.scheduled()
      }
    }
    expect(said()).not.toContain('No webhook')
    for (let quarter = 0; quarter < 6; quarter += 1) {
      clock.advance(6 * HOUR)
      await relay.scheduled()
    }
    expect(said()).toContain('No webhook for 4 days')
    await relay.post('feedback', conversation())
    await relay.report()
    await tick()
    expect(said()).toContain('Webhooks come again')
  })

  it.each([1, 2])('is an alert after %i hours, where so few are set', async (hours) => {
    Object.assign(env, { ALERT_SILENCE_HOURS: String(hours) })
    const short = startRelay(SETTINGS)
    for (let each = 0; each < 3; each += 1) await short.post('feedback', conversation())
    await short.report()
    clock.advance(6 * DAY + 23 * HOUR)
    await short.post('feedback', conversation())
    await short.report()
    for (let quarter = 0; quarter < 4 * (hours + 1); quarter += 1) {
      clock.advance(15 * MINUTE)
      await short.scheduled()
    }
    expect(said()).toContain(`No webhook for ${hours} h`)
  })
})

describe('events that are about to be erased', () => {
  it('are sent at seven days and at one, whatever their state', async () => {
    await relay.post('transcript', { messages: 'none today' })
    await tick()
    expect(said()).not.toContain('erased')
    clock.advance(23 * DAY)
    await tick()
    expect(said()).toContain('Events will be erased within 7 days')
    expect(said()).toContain('1 event, the first at')
    clock.advance(6 * DAY)
    await tick()
    expect(said()).toContain('Events will be erased within 1 day')
  })
})

describe('the heartbeat', () => {
  it('is pinged by a run that reached the outbox, and says when the relay is degraded', async () => {
    await tick()
    expect(receiver.pings).toEqual([HEARTBEAT])
    await holdCredentials()
    await tick()
    expect(receiver.pings).toEqual([HEARTBEAT, `${HEARTBEAT}/fail`])
  })

  it('is not pinged when the outbox does not answer, which is sent once, and so is its end', async () => {
    const namespace = namespaceWithout('shard-0')
    const isolate = startRelay({ ...SETTINGS, OUTBOX: namespace })
    await expect(isolate.scheduled()).rejects.toThrow()
    clock.advance(5 * MINUTE)
    await expect(isolate.scheduled()).rejects.toThrow()
    expect(receiver.messages).toHaveLength(1)
    expect(said(0)).toContain('It did not answer')
    expect(receiver.pings).toEqual([])
    namespace.missing.clear()
    clock.advance(5 * MINUTE)
    await isolate.scheduled()
    expect(receiver.messages).toHaveLength(2)
    expect(said(1)).toContain('Resolved: The outbox answers again')
  })
})

describe('PagerDuty, recognised by its host', () => {
  it('gets an incident for each alert, which ends with it', async () => {
    relay = startRelay({ ...SETTINGS, ALERT_WEBHOOK_URL: PAGERDUTY })
    await holdCredentials()
    await tick()
    const [trigger] = receiver.messages
    expect(trigger?.url).toBe('https://events.pagerduty.com/v2/enqueue')
    expect(trigger?.body).toMatchObject({
      routing_key: 'secret-routing-key',
      event_action: 'trigger',
      payload: { severity: 'critical', component: 'hold' },
    })
    await recover()
    await tick()
    expect(receiver.messages[1]?.body).toEqual({
      routing_key: 'secret-routing-key',
      event_action: 'resolve',
      dedup_key: trigger?.body.dedup_key,
    })
  })
})

describe('without an address', () => {
  it('sends nothing, and still shows the states', async () => {
    relay = startRelay()
    await holdCredentials()
    await tick()
    expect(receiver.messages).toEqual([])
    expect(receiver.pings).toEqual([])
    expect(await alertNamed('hold')).toMatchObject({ state: 'firing', lastSentAt: null })
  })

  it('logs the beginning and the end of an alert, each once', async () => {
    relay = startRelay()
    await relay.post('transcript', { messages: 'none today' })
    for (const ms of [0, 5 * 60_000, DAY, 5 * 60_000]) {
      clock.advance(ms)
      await tick()
    }
    const lines = logs.filter((line) => line.includes('"event":"alert","name":"rejected"'))
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { event: 'alert', name: 'rejected', state: 'firing', sent: false },
      { event: 'alert', name: 'rejected', state: 'resolved', sent: false },
    ])
  })

  it('ends the alert on refused events a day after the last', async () => {
    relay = startRelay()
    await relay.post('transcript', { messages: 'none today' })
    await tick()
    expect(await alertNamed('rejected')).toMatchObject({ state: 'firing' })
    clock.advance(DAY)
    await tick()
    expect(await alertNamed('rejected')).toMatchObject({ state: 'ok' })
  })

  it('relays all the same when the address is none, and says which variable it is', async () => {
    relay = startRelay({ ALERT_WEBHOOK_URL: 'http://hooks.example.com/secret' })
    expect((await relay.post('feedback', conversation())).body.status).toBe('forwarded')
    const line = logs.find((each) => each.includes('"configuration"'))
    expect(line).toContain('ALERT_WEBHOOK_URL')
    expect(line).not.toContain('secret')
  })
})

it('a run where nothing has changed writes no row', async () => {
  await holdCredentials()
  await tick()
  const states = await outbox().alertStates()
  await tick()
  expect(await outbox().alertStates()).toBe(states)
  const written = await runInDurableObject(outbox(), (_, { storage }) => {
    const cursors: SqlStorageCursor<never>[] = []
    const exec = (query: string, ...values: unknown[]) => {
      const cursor = storage.sql.exec<never>(query, ...values)
      cursors.push(cursor)
      return cursor
    }
    new Alerts({ storage: { sql: { exec } } } as unknown as AlertsDeps).save(states ?? '', [])
    return cursors.map(({ rowsWritten }) => rowsWritten)
  })
  expect(written).toEqual([0])
})

describe('GET /admin/alerts', () => {
  it('lists every alert, before the first run too', async () => {
    const { body } = await relay.get('/alerts')
    const quiet = { state: 'ok', since: null, lastSentAt: null, lastError: null }
    expect(body).toEqual({
      alerts: [
        'hold',
        'queue-age',
        'expiring',
        'rejected',
        'drift',
        'storage',
        'lost',
        'refused',
        'silence',
        'not-landed',
        'incomplete',
      ].map((name) => ({ name, ...quiet })),
    })
  })
})

describe('POST /admin/alerts/test', () => {
  it('sends one message, and says whether it got through', async () => {
    expect((await relay.command('/alerts/test')).body).toEqual({ sent: true })
    expect(said(0)).toContain('test')
    receiver.answer = async () => new Response(null, { status: 410 })
    expect((await relay.command('/alerts/test')).body).toEqual({
      sent: false,
      error: 'it answered 410',
    })
  })

  it('says that there is no address', async () => {
    const { body } = await startRelay().command('/alerts/test')
    expect(body).toMatchObject({ sent: false, error: expect.stringContaining('ALERT_WEBHOOK_URL') })
  })
})

it('an alert costs delivery nothing: what waits is sent while the webhook hangs', async () => {
  await holdCredentials()
  const stuck = Promise.withResolvers<Response>()
  receiver.answer = () => stuck.promise
  clock.advance(HOUR)
  const run = relay.scheduled()
  await vi.waitFor(() => expect(receiver.messages).toHaveLength(1), BY_ITSELF)
  await recover()
  expect((await relay.get('/status')).body).toMatchObject({ pending: 0, delivered: 1 })
  stuck.resolve(new Response('ok'))
  await run
})
