/**
 * The cases of docs/operations.md, each answered within two clicks of the overview, and its pictures: `UPDATE_SCREENSHOTS=1`
 * takes them anew. What only time or a failing outbox brings about, expiry and storage, is tested in workerd instead.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { badTranscript, chat, transcript } from './chats.ts'
import {
  eachFile,
  inspect,
  type Operator,
  PHONE,
  picture,
  REJECTING_MS,
  type World,
} from './operator.ts'
import { KEY } from './relay.ts'

let world: World
eachFile((started) => {
  world = started
})

/** From the overview on; a name is that of a link, a button, or a part to open. */
async function click(operator: Operator, ...names: [] | [string] | [string, string]) {
  const { page } = operator
  await operator.open('/admin')
  for (const name of names) {
    const exact = { name, exact: true }
    const leads = page.getByRole('link', exact).or(page.getByRole('button', exact))
    const opens = page.locator('summary', { hasText: name })
    await leads.or(opens).waitFor()
    await ((await opens.count()) > 0 ? opens.click() : operator.go(leads))
  }
  return operator.text()
}

const short = (id: string) => id.slice(0, 8)

/** Until the relay has recovered by itself, as it does when AEP takes events again. */
async function recovered(operator: Operator): Promise<void> {
  await world.relay.aepWorks()
  await operator.open('/admin')
  await operator.untilText(/Relaying\. (?!\d+ events? pending)/)
}

describe('the runbook on the page', () => {
  it('nothing arrives: no webhook in 24 hours, and no key was used', async () => {
    const operator = await world.signedIn()
    const text = await click(operator, 'Webhook keys: 1')
    expect(text).toContain('No webhook came, and nothing was pending.')
    expect(text).toContain('not used yet')
    await inspect(operator, 'keys')
    await picture(operator, 'nothing')
  })

  it('an outage: the sentence, then what AEP answered to each attempt', async () => {
    const operator = await world.signedIn()
    for (let each = 0; each < 6; each += 1) await world.relay.post('transcript', transcript())
    await world.relay.aepAnswers(503)
    const { id } = await world.relay.post('transcript', transcript())
    for (let each = 0; each < 4; each += 1) await world.relay.post('feedback', chat())
    await operator.open('/admin')
    await operator.untilText('AEP does not take events at the moment. 5 events pending.')
    await picture(operator, 'outage')
    expect(await click(operator, '5 pending')).toContain('AEP failed 503')
    expect(await click(operator, '5 pending', short(id))).toContain('AEP failed (unavailable 503)')
    await recovered(operator)
  })

  it.each([
    ['refused credentials', 'credentials', 401, 'AEP refused our credentials'],
    ['a wrong setting', 'configuration', 404, 'AEP does not know the address'],
  ] as const)('%s: the sentence, then the status', async (_case, name, status, words) => {
    const operator = await world.signedIn()
    await world.relay.aepAnswers(status)
    const { id } = await world.relay.post('offline-message', chat())
    await operator.open('/admin')
    await operator.untilText('1 event pending.')
    expect(await operator.text()).toContain('What to do:')
    await picture(operator, name)
    expect(await click(operator, '1 pending')).toContain(words)
    expect(await click(operator, '1 pending', short(id))).toContain(`${name} ${status}`)
    await recovered(operator)
  })

  it('a wrong dataflow: the sentence, then that AEP refuses each', async () => {
    const operator = await world.signedIn()
    await world.relay.aep('settings', { flowId: 'another-flow' })
    for (let each = 0; each < 5; each += 1) await world.relay.post('feedback', chat())
    await operator.open('/admin')
    await operator.untilText('AEP refuses every event. 5 events pending.', REJECTING_MS)
    await picture(operator, 'rejecting')
    expect(await click(operator, '5 pending')).toContain('AEP refused it')
    await world.relay.aep('settings', { flowId: 'local-flow' })
    await recovered(operator)
  }, 150_000)

  it('a poisoned event: its cause, then its story and the way to its payload', async () => {
    const operator = await world.signedIn()
    await world.relay.aepAnswers(400, 'coupon')
    const ids: string[] = []
    for (let each = 0; each < 3; each += 1) {
      await world.relay.post('new-conversation', chat())
      ids.push((await world.relay.post('feedback', chat('My coupon is refused'))).id)
    }
    for (let each = 0; each < 2; each += 1) await world.relay.post('transcript', badTranscript())
    const overview = await click(operator)
    expect(overview).toContain('AEP refused it feedback 3 ')
    expect(overview).toContain('· messages transcript 2 ')
    await inspect(operator, 'causes-two')
    await operator.page.setViewportSize({ width: 1280, height: 900 })
    for (const part of ['#problems', '#ledger', 'figure >> nth=0']) {
      const box = await operator.page.locator(part).boundingBox()
      expect((box?.y ?? 900) + (box?.height ?? 0)).toBeLessThan(900)
    }
    await picture(operator, 'overview')
    const story = await click(operator, 'See 3', short(ids[0] ?? ''))
    expect(story).toContain('AEP refused it (rejected 400).')
    expect(story).toContain('Show them (personal data)')
    await picture(operator, 'event')
  })

  it('Chatlio changed a field: where and what was expected, and what is new', async () => {
    const operator = await world.signedIn()
    expect(await click(operator, 'See 2')).toContain('messages: expected an array')
    await picture(operator, 'quarantined')
    await world.relay.post('feedback', { ...chat(), rating: 5, survey: { nps: 'likely' } })
    await click(operator, 'Drift')
    await operator.untilText('survey New field')
    await picture(operator, 'drift')
  })

  it('where the chat of yesterday is: delivered, and when', async () => {
    const operator = await world.signedIn()
    const one = chat()
    await world.relay.aepAnswers(503)
    await world.relay.post('new-conversation', one)
    await recovered(operator)
    await click(operator, 'Find')
    await operator.page.getByLabel(/^(In full|The full)/).fill(one.visitor.email)
    await operator.press('Find')
    expect(await operator.text()).toMatch(/Delivered new-conversation \w{8} from the outbox/)
    await picture(operator, 'find')
  })

  it('a privacy request: what there is, before anything is erased', async () => {
    const operator = await world.signedIn()
    const one = chat()
    await world.relay.aepAnswers(503)
    await world.relay.post('new-conversation', one)
    await click(operator, 'Erase')
    await operator.page.getByLabel(/^(In full|The full)/).fill(one.visitor.email)
    await operator.press('Show what there is')
    expect(await operator.text()).toContain('Stored events 1 Receipts 0')
    await picture(operator, 'erase')
  })

  it('alerts: which fire, and whether anybody hears them', async () => {
    const operator = await world.signedIn()
    await click(operator, 'Alerts')
    await operator.press('Send a test alert')
    expect(await operator.text()).toContain('The test alert was not sent')
    await picture(operator, 'alerts')
  })
})

/** A click that ends with a file: its text. */
async function download({ page }: Operator, name: string): Promise<string> {
  const link = page.getByRole('link', { name, exact: true })
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()])
  return readFile(await file.path(), 'utf8')
}

/** Looks for one thing on a page that asks for it: the second click. */
async function look(operator: Operator, by: string, value: string, button: string) {
  await operator.page.getByRole('combobox', { name: 'By' }).first().selectOption(by)
  await operator.page.getByLabel(/^(In full|The full)/).fill(value)
  await operator.press(button)
  return operator.text()
}

describe('what else is asked', () => {
  it('were chats lost, how many were there yesterday: the overview, then the days', async () => {
    const operator = await world.signedIn()
    expect(await click(operator)).toMatch(/Yesterday \(UTC\): \d+ received · .* \d+ lost/)
    const days = await click(operator, 'Seven days, by kind and source')
    expect(days).toMatch(/Received In AEP Refused Lost Late Slowest Without transcript \d{4}-/)
    expect(days).toContain('Chats without a transcript')
    await inspect(operator, 'days-of-the-runbook')
    await operator.page.setViewportSize(PHONE)
    const lost = operator.page.getByRole('columnheader', { name: 'Lost' }).first()
    const box = await lost.boundingBox()
    expect((box?.x ?? PHONE.width) + (box?.width ?? 0)).toBeLessThanOrEqual(PHONE.width)
  })

  it('a transcript is late: what came of the one chat', async () => {
    const one = chat()
    await world.relay.post('new-conversation', one)
    const operator = await world.signedIn()
    await click(operator, 'Find')
    const search = () => look(operator, 'Conversation id', one.conversationUUID, 'Find')
    await expect.poll(search, { timeout: 20_000 }).toContain('Delivered new-conversation')
    expect(await operator.text()).not.toMatch(/(Delivered|Pending|Quarantined) transcript/)
  })

  it('Adobe’s support asks for examples: a cause as a file; for help with the relay a bundle', async () => {
    await world.relay.aepAnswers(400, 'voucher')
    await world.relay.post('feedback', chat())
    const { id } = await world.relay.post('feedback', chat('My voucher is refused'))
    await world.relay.post('feedback', chat())
    const operator = await world.signedIn()
    await click(operator, '4 dead')
    const lines = await download(operator, 'Export all that match (NDJSON, with payloads)')
    const events = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string })
    expect(events).toHaveLength(4)
    expect(events.find((event) => event.id === id)).toMatchObject({
      answer: expect.stringContaining('400'),
    })
    await click(operator)
    const bundle = await download(operator, 'Support bundle')
    expect(JSON.parse(bundle)).toMatchObject({ status: { dead: 4 } })
    expect(bundle).not.toMatch(/voucher|@example\.com|browser-test/)
  })

  it('a key has leaked: which, and when it was last used', async () => {
    const operator = await world.signedIn()
    const fingerprint = createHash('sha256').update(KEY).digest('hex').slice(0, 6)
    const keys = await click(operator, 'Webhook keys: 1')
    expect(keys).toMatch(new RegExp(`${fingerprint} last used`))
  })

  it('a person was erased before: until when they are suppressed', async () => {
    const one = chat()
    await world.relay.erase(one.visitor.email)
    const operator = await world.signedIn()
    await click(operator, 'Erase')
    const found = await look(operator, 'Email', one.visitor.email, 'Show what there is')
    expect(found).toContain(`${one.visitor.email} is suppressed already, until`)
    await inspect(operator, 'erase-again')
  })

  it('a field has another name: the old one as gone, the new one as new', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    for (let each = 0; each < 80; each += 1) {
      const { message, ...rest } = chat()
      await relay.post('unanswered', each < 55 ? { ...rest, message } : { ...rest, text: message })
    }
    await click(operator, 'Drift')
    await operator.untilText(/message No longer sent/)
    expect(await operator.text()).toMatch(/text New field/)
    await inspect(operator, 'drift-renamed')
  })

  it('which version runs: on every page', async () => {
    const operator = await world.signedIn()
    await click(operator)
    const which = await operator.page.locator('.which').innerText()
    expect(which).toMatch(/Chatlio relay production \S+\s· raw\s· \w+ \(/)
  })
})
