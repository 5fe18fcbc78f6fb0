/** Ways to use the page: by keyboard alone, without JavaScript, and while it refreshes. */
import { describe, expect, it } from 'vitest'
import { badTranscript, chat } from './chats.ts'
import { eachFile, inspect, PHONE, type World } from './operator.ts'
import { TOKEN } from './relay.ts'

let world: World
eachFile((started) => {
  world = started
})

describe('every page', () => {
  it.each([
    ['/admin/ui/events', 'events-none'],
    ['/admin/ui/events?state=dead', 'dead-none'],
    ['/admin/ui/events/x', 'no-such-event'],
    ['/admin/ui/events?state=nonsense', 'bad-request'],
    ['/admin/ui/find', 'find-empty'],
    ['/admin/ui/drift', 'drift-none'],
    ['/admin/ui/alerts', 'alerts'],
    ['/admin/ui/log', 'log-empty'],
    ['/admin/ui/nothing', 'not-found'],
  ])('is fit for every reader and screen: %s', async (path, name) => {
    const operator = await world.signedIn()
    await operator.open(path)
    await inspect(operator, name)
  })

  it('says whether a test alert is heard', async () => {
    const operator = await world.signedIn()
    await operator.open('/admin/ui/alerts')
    await operator.press('Send a test alert')
    expect(await operator.text()).toContain('The test alert was not sent')
    await inspect(operator, 'alerts-test')
  })
})

describe('the keyboard', () => {
  it('is enough: past the navigation, to an action, and back', async () => {
    const operator = await world.signedIn()
    const { page } = operator
    await operator.open('/admin')
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim())
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the content')
    await inspect(operator, 'skip-link')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Pause relaying')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Relaying is paused.' }).waitFor()
    // The result has the focus, so a screen reader says it first.
    expect(await focused()).toContain('Paused.')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Resume relaying')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Relaying. ' }).waitFor()
  })
})

describe('without JavaScript', () => {
  it('operators sign in, pause, filter, redrive, find, delete and sign out', async () => {
    const operator = await world.signedOut({ javaScriptEnabled: false, viewport: PHONE })
    const { page } = operator
    await operator.open('/admin')
    await page.getByLabel('Admin token').fill(TOKEN)
    await operator.press('Sign in')
    await operator.press('Pause relaying')
    expect(await operator.text()).toContain('Relaying is paused.')
    await operator.press('Resume relaying')
    expect(await operator.text()).toContain('Resumed: the next attempt is made at once.')

    const { id } = await world.relay.post('transcript', badTranscript())
    await operator.follow('Events')
    await page.getByLabel('State').selectOption('Quarantined')
    await operator.press('Filter')
    expect(await operator.text()).toContain('1 of 1 event shown')
    await operator.press('Redrive 1')
    expect(await operator.text()).toContain('0 events redriven, 1 still invalid.')
    await operator.follow('Find')
    await page.getByRole('combobox', { name: 'By' }).selectOption('Event id')
    await page.getByLabel(/^(In full|The full)/).fill(id)
    await operator.press('Find')
    await operator.go(page.getByRole('link', { name: id.slice(0, 8) }))
    await operator.follow('Delete…')
    await operator.press('Delete 1 event')
    expect(await operator.text()).toContain('1 event deleted.')
    await operator.press('Sign out')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

describe('the overview', () => {
  it('refreshes by itself, but not while somebody reads', async () => {
    const { relay } = world
    const operator = await world.signedIn()
    const { page } = operator
    await page.clock.install()
    await relay.aepAnswers(503)
    await relay.post('feedback', chat())
    await operator.open('/admin')
    await operator.untilText('1 event pending')
    const shown = (count: number) => page.getByRole('heading', { name: `${count} events pending` })
    const refreshed = () => page.waitForResponse(`${relay.url}/admin`)

    await relay.post('feedback', chat())
    await Promise.all([refreshed(), page.clock.runFor(15_000)])
    await shown(2).waitFor()

    await page.getByText('Webhook keys: 1').click()
    await relay.post('feedback', chat())
    let asked = 0
    page.on('request', () => {
      asked += 1
    })
    await page.clock.runFor(60_000)
    expect(await shown(2).count()).toBe(1)
    await page.getByText('Webhook keys: 1').click()
    // A part that was opened and closed again still has the focus.
    await page.locator('header b').first().click()
    expect(asked).toBe(0)
    await Promise.all([refreshed(), page.clock.runFor(15_000)])
    await shown(3).waitFor()
  })
})
