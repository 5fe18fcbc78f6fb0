/** Chats and people: where one is, what is held of somebody, and what Chatlio has changed. */
import { describe, expect, it } from 'vitest'
import { chat } from './chats.ts'
import { eachFile, inspect, PHONE, type World } from './operator.ts'

let world: World
eachFile((started) => {
  world = started
})

describe('a chat', () => {
  it('is found by email: delivered straight through, delivered later, and still pending', async () => {
    const { relay } = world
    const one = chat()
    const operator = await world.signedIn({ viewport: PHONE })
    const { page } = operator
    const search = async () => {
      await operator.open('/admin/ui/find')
      await page.getByRole('combobox', { name: 'By' }).selectOption('Email')
      await page.getByLabel(/^(In full|The full)/).fill(` ${one.visitor.email.toUpperCase()} `)
      await operator.press('Find')
      return operator.text()
    }
    await relay.post('new-conversation', one)
    await expect.poll(search, { timeout: 20_000 }).toContain('1 shown, the newest first')
    expect(page.url()).toBe(`${relay.url}/admin/ui/find`)
    await relay.aepAnswers(503)
    await relay.post('unanswered', one)
    await relay.post('new-conversation', chat())
    const text = await search()
    expect(text).toContain('2 shown, the newest first')
    expect(text).toContain('forwarded, ')
    await inspect(operator, 'find')
    await operator.go(page.getByRole('row').filter({ hasText: 'Delivered' }).getByRole('link'))
    expect(await operator.text()).toContain('AEP accepted it, forwarded at once.')
    await inspect(operator, 'event-delivered')
    await operator.open('/admin/ui/find')
    await page.getByLabel(/^(In full|The full)/).fill('nobody@example.com')
    await operator.press('Find')
    expect(await operator.text()).toContain('Nothing found.')
    await inspect(operator, 'find-nothing')
  })
})

describe('a person', () => {
  it('is erased after a dry run, and suppressed until an operator ends it', async () => {
    const { relay } = world
    const one = chat()
    const operator = await world.signedIn()
    const { page } = operator
    await relay.aepAnswers(503)
    for (const kind of ['new-conversation', 'unanswered']) await relay.post(kind, one)
    await relay.post('feedback', chat())
    const { pending = 0, erased = 0 } = await relay.status()

    await operator.open('/admin/ui/erase')
    await inspect(operator, 'erase')
    await page.getByLabel(/^(In full|The full)/).fill(one.visitor.email)
    await operator.press('Show what there is')
    const dry = await operator.text()
    expect(dry).toContain(
      `Nothing has been erased yet. Found for ${one.visitor.email}: Stored events 2`,
    )
    await inspect(operator, 'erase-dry-run')
    expect(await relay.status()).toMatchObject({ pending, erased })

    await operator.go(page.getByRole('button', { name: /^Erase, and suppress/ }))
    expect(await operator.text()).toContain('2 events and 0 receipts of this person erased.')
    await inspect(operator, 'erased-once')
    // The page goes on by itself.
    await page.getByRole('heading', { name: /^The relay holds nothing/ }).waitFor()
    await inspect(operator, 'erased')
    const request = await page.locator('#request').textContent()
    expect(JSON.parse(request ?? '')).toMatchObject({ users: [{ action: ['delete'] }] })
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy' }).last().click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = await page.evaluate('navigator.clipboard.readText()')
    expect(copied).toBe(request)
    expect(await relay.status()).toMatchObject({ pending: pending - 2, erased: erased + 2 })

    await operator.follow('Suppressions')
    expect(await operator.text()).toContain('Suppressed people: 1')
    await inspect(operator, 'suppressions')
    await page.getByLabel(/^(In full|The full)/).fill(one.visitor.email)
    await operator.press('End the suppression')
    expect(await operator.text()).toContain('The suppression has ended')
    await inspect(operator, 'suppressions-none')
  })
})

describe('what Chatlio sends anew', () => {
  it('is shown by name and type, and accepted', async () => {
    const operator = await world.signedIn()
    const field = { rating: 5, survey: { nps: 'very likely', comments: [1] } }
    await world.relay.post('feedback', { ...chat(), ...field })
    await operator.open('/admin/ui/drift')
    await operator.untilText('rating')
    expect(await operator.text()).not.toContain('very likely')
    await inspect(operator, 'drift')
    const row = operator.page.getByRole('row').filter({ hasText: 'rating' })
    await operator.go(row.getByRole('button', { name: 'Accept' }))
    expect(await operator.text()).toContain('Accepted: this difference raises no more alerts.')
    await operator.page.getByText('1 accepted').click()
    await inspect(operator, 'drift-accepted')
  })
})
