/**
 * The cases of docs/operations.md, each answered within two clicks of the overview, and its pictures: `UPDATE_SCREENSHOTS=1`
 * takes them anew. What only time or a failing outbox brings about, expiry and storage, is tested in workerd instead.
 */
import { describe, expect, it } from 'vitest'
import { badTranscript, chat, transcript } from './chats.ts'
import { eachFile, inspect, type Operator, picture, REJECTING_MS, type World } from './operator.ts'

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
    await operator.page.getByLabel(/^The whole/).fill(one.visitor.email)
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
    await operator.page.getByLabel(/^The whole/).fill(one.visitor.email)
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
