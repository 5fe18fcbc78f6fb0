/** What goes wrong with AEP and with events, and how an operator puts it right. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { chat, transcript } from './chats.ts'
import { eachFile, inspect, type Operator, PHONE, REJECTING_MS, type World } from './operator.ts'

const RELAYING = 'Relaying. Nothing is pending.'

let world: World
eachFile((started) => {
  world = started
})

/** The ledger's figures, as the page shows and adds them up. */
async function ledger({ page }: Operator) {
  const section = page.getByRole('region', { name: 'The ledger of the outbox' })
  const [text, sum] = await Promise.all([section.locator('dl').innerText(), section.innerText()])
  const [accepted = 0, ...ends] = (text.match(/\d+/g) ?? []).map(Number)
  expect(sum).toContain('It balances')
  expect(ends.reduce((all, each) => all + each, 0)).toBe(accepted)
  const [delivered, pending, dead, quarantined, erased] = ends
  return { accepted, delivered, pending, dead, quarantined, erased }
}

describe('an outage', () => {
  it('is said in a sentence, fills the outbox, and ends with everything delivered', async () => {
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
    await operator.untilText('AEP does not take events at the moment. 2 events pending.')
    expect(await operator.text()).toContain(
      'What to do: Nothing, as a rule. What is pending is sent',
    )
    await store(3)
    await operator.untilText('AEP does not take events at the moment. 5 events pending.')
    expect((await ledger(operator)).pending).toBe(5)
    await inspect(operator, 'outage')
    await operator.follow('5 pending')
    expect(await operator.text()).toContain('AEP failed')
    await inspect(operator, 'outage-events')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    expect(await operator.text()).toContain('AEP failed (unavailable 503).')
    await inspect(operator, 'outage-event')

    await operator.open('/admin')
    await relay.aepWorks()
    await operator.untilText(RELAYING)
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
    await operator.untilText('AEP refuses every event. 4 events pending.', REJECTING_MS)
    const text = await operator.text()
    expect(text).toContain('does not belong to this endpoint. Compare with npm run provision')
    expect(text).toContain('Nothing needs to be sent again by hand')
    expect(text).toContain('None: no event is dead or quarantined.')
    await inspect(operator, 'rejecting')

    await operator.follow('4 pending')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    await operator.follow('Show them')
    expect(await operator.text()).toContain('absent or wrong flow id')
    await inspect(operator, 'rejecting-event')

    await relay.aep('settings', { flowId: 'local-flow' })
    await operator.follow('Overview')
    await operator.untilText(RELAYING)
    expect([...relay.taken()]).toEqual(expect.arrayContaining(ids))
  }, 150_000)
})

describe('a hold', () => {
  it.each([
    [
      401,
      'credentials',
      'AEP refuses our credentials. 1 event pending.',
      'Check the client secret',
    ],
    [
      404,
      'configuration',
      'AEP cannot be reached as configured. 1 event pending.',
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
    await operator.untilText(RELAYING)
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
    expect(await cause.innerText()).toMatch(/feedback\s+3\s/)
    await inspect(operator, 'causes')
    await operator.follow('See 3')
    await operator.press('Dry run')
    expect(await operator.text()).toContain('Dry run, nothing was changed: 3 events match')
    await inspect(operator, 'dead-dry-run')
    await operator.go(operator.page.getByRole('link', { name: (ids[0] ?? '').slice(0, 8) }))
    expect(await operator.text()).toContain('AEP refused it (rejected 400)')
    await operator.follow('What would be sent now')
    await inspect(operator, 'preview')

    await relay.aepWorks()
    await operator.follow('Overview')
    await operator.go(cause.getByRole('button', { name: 'Redrive 3' }))
    expect(await operator.text()).toContain('3 events redriven.')
    await operator.untilText('Of 3 redriven: 3 accepted, 0 refused again, 0 pending')
    await inspect(operator, 'dead-redriven')
    await operator.follow('In the log')
    expect(await operator.text()).toMatch(
      /redrive dead, why: AEP refused it, place: none known matched 3, redriven 3, .*3 accepted/,
    )
    await inspect(operator, 'log-entry')
    await operator.follow('Overview')
    await operator.untilText(RELAYING)
    expect([...relay.taken()]).toEqual(expect.arrayContaining(ids))
    expect((await ledger(operator)).dead).toBe(0)
  }, 240_000)

  it('that are ticked are redriven alone, and the page counts on what comes of it by itself', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    const { page } = operator
    await relay.post('feedback', chat())
    await relay.aepAnswers(400, 'coupon')
    const ids: string[] = []
    for (let each = 0; each < 3; each += 1) {
      ids.push((await relay.post('feedback', chat(`Coupon ${each}: coupon`))).id)
    }
    await operator.open('/admin/ui/events?state=dead')
    expect(await operator.text()).toContain('3 of 3 events shown, the newest first')
    await relay.aepWorks()
    await relay.aepAnswers(503)
    for (const id of ids.slice(0, 2)) await page.getByLabel(`Tick ${id.slice(0, 8)}`).check()
    await operator.press('Redrive ticked')
    expect(await operator.text()).toMatch(/^2 events redriven\..* 2 pending/)
    await inspect(operator, 'redrive-in-progress')
    await relay.aepWorks()
    await page.getByText('2 accepted, 0 refused again, 0 pending').waitFor()
    expect(await operator.text()).toContain('1 of 1 event shown')
    await operator.press('Redrive 1')
    await page.getByText('1 accepted, 0 refused again, 0 pending').waitFor()
  })

  it('and others in one list are ticked: each action takes those that it applies to', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    const { page } = operator
    await relay.post('feedback', chat())
    const { id: quarantined } = await relay.post('transcript', '{"messages": [')
    await relay.aepAnswers(503)
    const { id: pending } = await relay.post('feedback', chat())
    await operator.open('/admin/ui/events')
    await operator.untilText(/Pending feedback .*Quarantined transcript .*Delivered feedback/)
    const actions = page.locator('#some')
    expect(await actions.isVisible()).toBe(false)
    for (const tick of await page.getByRole('checkbox').all()) await tick.check()
    expect(await actions.isVisible()).toBe(true)
    await inspect(operator, 'ticked')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export ticked' }).click(),
    ])
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n')
    expect(lines.length).toBe(await page.getByRole('checkbox').count())
    for (const id of [quarantined, pending]) expect(lines.join('')).toContain(id)
    await operator.press('Delete ticked…')
    await page.getByRole('heading', { name: 'Delete 2 events?' }).waitFor()
    await inspect(operator, 'delete-ticked')
    await operator.press('Delete 2 events')
    expect(await operator.text()).toContain('2 events deleted.')
    expect(await relay.status()).toMatchObject({ pending: 0, quarantined: 0 })
  })

  it('that nobody wants are deleted after a question, and counted as erased', async () => {
    const operator = await world.signedIn({ viewport: PHONE })
    const { page } = operator
    await world.relay.post('transcript', '{"messages": [')
    await operator.open('/admin')
    await operator.follow('See 1')
    await inspect(operator, 'quarantined')
    await operator.follow('Delete 1…')
    await page.getByRole('heading', { name: 'Delete 1 quarantined event?' }).waitFor()
    await inspect(operator, 'delete-question')
    await operator.follow('Cancel')
    await operator.follow('Delete 1…')
    await operator.press('Delete 1 event')
    expect(await operator.text()).toContain('1 event deleted.')
    await operator.follow('Overview')
    expect((await ledger(operator)).erased).toBe(3)
  })
})

describe('the chart', () => {
  it('tells the figures of an hour where one points or focuses, and leads to its events', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    const { page } = operator
    await relay.post('unanswered', chat())
    await operator.open('/admin')
    await operator.untilText('Webhooks an hour')
    const bar = page.locator('.bars > a').first()
    const figures = bar.locator('.tip')
    const isShown = async () =>
      (await figures.evaluate((each) => getComputedStyle(each).clipPath)) === 'none'
    expect(await isShown()).toBe(false)
    await bar.hover()
    expect(await isShown()).toBe(true)
    await page.mouse.move(0, 0)
    expect(await isShown()).toBe(false)
    await page.locator('#hours').evaluate((each) => each.scrollIntoView())
    while (!(await bar.evaluate((each) => each === document.activeElement))) {
      await page.keyboard.press('Tab')
    }
    expect(await isShown()).toBe(true)
    expect(await figures.innerText()).toMatch(/^\d\d:00 UTC: \d+ forwarded, /)
    await inspect(operator, 'chart-figures')
    await operator.go(bar)
    expect(await operator.text()).toContain('hour (UTC): ')
    await inspect(operator, 'events-of-an-hour')
  })
})

describe('a pause', () => {
  it('keeps what comes, and a resume delivers it', async () => {
    const operator = await world.signedIn()
    await operator.open('/admin')
    await operator.press('Pause relaying')
    expect(await operator.text()).toContain('Relaying is paused. Nothing is pending.')
    expect((await world.relay.post('feedback', chat())).outcome).toBe('buffered')
    await operator.untilText('Relaying is paused. 1 event pending.')
    await inspect(operator, 'paused')
    await operator.press('Resume relaying')
    await operator.untilText(RELAYING)
    await operator.follow('Log')
    expect(await operator.text()).toMatch(/admin token resume .*admin token pause/)
    await inspect(operator, 'log')
  })
})
