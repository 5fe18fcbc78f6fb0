/** What goes wrong with AEP and with events, and how an operator puts it right. */
import { describe, expect, it } from 'vitest'
import { chat, transcript } from './chats.ts'
import { eachFile, inspect, type Operator, PHONE, REJECTING_MS, type World } from './operator.ts'

let world: World
eachFile((started) => {
  world = started
})

/** The ledger's figures, as the page shows and adds them up. */
async function ledger({ page }: Operator) {
  const section = page.getByRole('region', { name: 'The ledger of what was stored' })
  const [text, sum] = await Promise.all([section.locator('dl').innerText(), section.innerText()])
  const [accepted = 0, ...ends] = (text.match(/\d+/g) ?? []).map(Number)
  expect(sum).toContain('It balances')
  expect(ends.reduce((all, each) => all + each, 0)).toBe(accepted)
  const [delivered, pending, dead, quarantined, erased] = ends
  return { accepted, delivered, pending, dead, quarantined, erased }
}

describe('an outage', () => {
  it('is said in a sentence, fills the store, and ends with everything delivered', async () => {
    const { relay } = world
    const operator = await world.signedIn({ viewport: PHONE })
    await operator.open('/admin')
    const before = await ledger(operator)

    await relay.aepAnswers(503)
    const ids: string[] = []
    const store = async (count: number) => {
      for (let each = 0; each < count; each += 1) {
        const { outcome, id } = await relay.post('transcript', transcript())
        expect(outcome).toBe('buffered')
        ids.push(id)
      }
    }
    await store(2)
    await operator.untilText('AEP does not take events at the moment. 2 events waiting.')
    expect(await operator.text()).toContain('What to do: An outage of AEP ends by itself')
    await store(3)
    await operator.untilText('AEP does not take events at the moment. 5 events waiting.')
    expect((await ledger(operator)).pending).toBe(5)
    await inspect(operator, 'outage')
    await operator.follow('5 waiting')
    expect(await operator.text()).toContain('AEP failed')
    await inspect(operator, 'outage-events')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    expect(await operator.text()).toContain('AEP failed (unavailable 503).')
    await inspect(operator, 'outage-event')

    await operator.open('/admin')
    await relay.aepWorks()
    await operator.untilText('Relaying. Nothing is waiting.')
    const after = await ledger(operator)
    expect(after.delivered).toBe((before.delivered ?? 0) + 5)
    expect([...relay.taken()]).toEqual(expect.arrayContaining(ids))
    await inspect(operator, 'outage-over')
  })
})

describe('a wrong flow id', () => {
  it('is named with what to do, and once it is corrected all is delivered untouched', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    await relay.post('feedback', chat())
    await relay.aep('settings', { flowId: 'another-flow' })
    const ids: string[] = []
    for (let each = 0; each < 4; each += 1) ids.push((await relay.post('feedback', chat())).id)
    await operator.open('/admin')
    await operator.untilText('AEP refuses every event. 4 events waiting.', REJECTING_MS)
    const text = await operator.text()
    expect(text).toContain('does not belong to this endpoint. Compare with npm run provision')
    expect(text).toContain('Nothing needs to be sent again by hand')
    expect(text).toContain('None: no event is dead or quarantined.')
    await inspect(operator, 'rejecting')

    await operator.follow('4 waiting')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    await operator.follow('Show them')
    expect(await operator.text()).toContain('absent or wrong flow id')
    await inspect(operator, 'rejecting-event')

    await relay.aep('settings', { flowId: 'local-flow' })
    await operator.follow('Overview')
    await operator.untilText('Relaying. Nothing is waiting.')
    expect([...relay.taken()]).toEqual(expect.arrayContaining(ids))
  }, 150_000)
})

describe('a hold', () => {
  it.each([
    [
      401,
      'credentials',
      'AEP refuses our credentials. 1 event waiting.',
      'Check the client secret',
    ],
    [
      404,
      'configuration',
      'AEP cannot be reached as configured. 1 event waiting.',
      'wrangler.toml',
    ],
  ] as const)('after %i says what to do, and ends once AEP takes events', async (...row) => {
    const [status, name, title, action] = row
    const operator = await world.signedIn()
    await world.relay.aepAnswers(status)
    await world.relay.post('unanswered', chat())
    await operator.open('/admin')
    await operator.untilText(title)
    expect(await operator.text()).toContain(action)
    await inspect(operator, `hold-${name}`)
    await world.relay.aepWorks()
    await operator.untilText('Relaying. Nothing is waiting.')
  })
})

describe('dead letters', () => {
  it('are found by their cause, tried dry, and redriven once AEP takes them', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    await relay.aepAnswers(400, 'coupon')
    const ids: string[] = []
    for (let each = 0; each < 3; each += 1) {
      await relay.post('feedback', chat())
      ids.push((await relay.post('feedback', chat('My coupon is refused'))).id)
    }
    await operator.open('/admin')
    const cause = operator.page.getByRole('row').filter({ hasText: 'AEP refused it' })
    expect(await cause.innerText()).toMatch(/feedback 3\s+3\s+dead/)
    await inspect(operator, 'causes')
    await operator.go(cause.getByRole('button', { name: 'Dry run' }))
    expect(await operator.text()).toContain('Dry run, nothing was changed: 3 events match')
    await inspect(operator, 'dead-dry-run')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    expect(await operator.text()).toContain('AEP refused it (rejected 400)')
    await inspect(operator, 'dead-event')

    await relay.aepWorks()
    await operator.follow('Overview')
    await operator.go(cause.getByRole('button', { name: 'Redrive these 3' }))
    expect(await operator.text()).toContain('3 events redriven.')
    await inspect(operator, 'dead-redriven')
    await operator.follow('Overview')
    await operator.untilText('Relaying. Nothing is waiting.')
    expect([...relay.taken()]).toEqual(expect.arrayContaining(ids))
    expect((await ledger(operator)).dead).toBe(0)
  })

  it('that nobody wants are deleted after a question, and counted as erased', async () => {
    const operator = await world.signedIn({ viewport: PHONE })
    const { page } = operator
    await world.relay.post('transcript', '{"messages": [')
    await operator.open('/admin')
    await operator.follow('See these 1')
    await inspect(operator, 'quarantined')
    await operator.follow('Delete these 1…')
    await page.getByRole('heading', { name: 'Delete 1 quarantined event?' }).waitFor()
    await inspect(operator, 'delete-question')
    await operator.follow('Cancel')
    await operator.follow('Delete these 1…')
    await operator.press('Delete 1 event')
    expect(await operator.text()).toContain('1 event deleted.')
    await operator.follow('Overview')
    expect((await ledger(operator)).erased).toBe(1)
  })
})

describe('a pause', () => {
  it('keeps what comes, and a resume delivers it', async () => {
    const operator = await world.signedIn()
    await operator.open('/admin')
    await operator.press('Pause relaying')
    expect(await operator.text()).toContain('Relaying is paused. Nothing is waiting.')
    expect((await world.relay.post('feedback', chat())).outcome).toBe('buffered')
    await operator.untilText('Relaying is paused. 1 event waiting.')
    await inspect(operator, 'paused')
    await operator.press('Resume relaying')
    await operator.untilText('Relaying. Nothing is waiting.')
    await operator.follow('Log')
    expect(await operator.text()).toMatch(/admin token resume .*admin token pause/)
    await inspect(operator, 'log')
  })
})
