/** States that take a relay with other settings: each is brought up, read, and shown in every scheme and width. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { chat, transcript } from './chats.ts'
import { eachFile, inspect, type Operator, type World } from './operator.ts'
import { KEY, type Relay, startRelay } from './relay.ts'

let world: World
eachFile((started) => {
  world = started
})

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** A relay of its own, and an operator before its overview: the cookies of a host go to all its ports. */
async function relayWith(variables: Record<string, string>): Promise<[Relay, Operator]> {
  const relay = await startRelay(variables)
  ends.push(relay.stop)
  const operator = await world.signedIn()
  await operator.page.goto(`${relay.url}/admin`)
  return [relay, operator]
}

/** Where alerts are sent: whether they are heard is told by the status. */
async function receiver(): Promise<{ url: string; answers: (status: number) => void }> {
  let status = 200
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end('ok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/alerts`,
    answers: (next) => {
      status = next
    },
  }
}

/** The colour at the left of the first sentence. */
const tone = ({ page }: Operator) => page.locator('main > section').first().getAttribute('class')

/** What of the header leaves the screen, or lies over something else of it. */
function headerFaults({ page }: Operator): Promise<string[]> {
  return page.evaluate(() => {
    const parts = [...document.querySelectorAll('header .which, header form, header nav')]
    const boxes = parts.map((part) => part.getBoundingClientRect())
    return boxes.flatMap((box, index) => {
      const name = parts[index]?.tagName ?? ''
      const isOver = boxes.slice(index + 1).some((other) => {
        const beside = other.left >= box.right || other.right <= box.left
        return !beside && other.top < box.bottom && other.bottom > box.top
      })
      const leaves = box.left < 0 || box.right > document.documentElement.clientWidth
      return isOver || leaves ? name : []
    })
  })
}

describe('a relay that has nothing to tell', () => {
  it('says so in green; it is amber before the first webhook, and when an alert is not heard', async () => {
    const alerts = await receiver()
    const [relay, operator] = await relayWith({ ALERT_WEBHOOK_URL: alerts.url })
    await operator.untilText('Relaying. No webhook has come yet.')
    expect(await tone(operator)).toBe('card warn')
    await inspect(operator, 'nothing-came-yet')
    await relay.post('feedback', chat())
    await operator.untilText('Relaying. Nothing is pending.')
    expect(await tone(operator)).toBe('card ok')
    await inspect(operator, 'healthy')

    alerts.answers(404)
    await relay.aepAnswers(401)
    await relay.post('feedback', chat())
    await relay.tick(5)
    await relay.aepWorks()
    await operator.untilText(/^Relaying\. An alert could not be sent\./)
    expect(await tone(operator)).toBe('card warn')
    await inspect(operator, 'alert-not-heard')
    await operator.follow('See')
    await inspect(operator, 'alerts-not-heard')
  }, 180_000)
})

describe('a relay that is set up by half', () => {
  it('names the setting that cannot be used, and that alerts go nowhere', async () => {
    const variables = { WEBHOOK_KEYS: `${KEY},short`, ALERT_WEBHOOK_URL: '' }
    const [relay, operator] = await relayWith(variables)
    await relay.post('feedback', chat())
    await operator.untilText(/^Relaying\. 1 setting cannot be used\. Alerts go nowhere\./)
    expect(await tone(operator)).toBe('card warn')
    expect(await operator.text()).toContain('WEBHOOK_KEYS: expected')
    await inspect(operator, 'setting-unusable')
  })

  it('says that no webhook gets in without a key', async () => {
    const [, operator] = await relayWith({ WEBHOOK_KEYS: 'short', ENVIRONMENT: '' })
    await operator.untilText('No webhook key is usable.')
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'no-key')
  })
})

describe('what AEP accepts and does not keep', () => {
  it('is told in the first sentence; the event is failed', async () => {
    const [relay, operator] = await relayWith({ AEP_READ_CLIENT_ID: 'local-reader' })
    await relay.post('feedback', chat())
    await relay.aep('rule', { answer: { type: 'failLater' }, containing: 'coupon' })
    const { id } = await relay.post('feedback', chat('My coupon'))
    await expect.poll(async () => (await relay.status()).forwarded, { timeout: 20_000 }).toBe(2)
    await relay.tick(20)
    await operator.untilText('AEP accepted 1 record and refused it afterwards')
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'not-landed')
    await operator.follow('Events')
    expect(await operator.text()).toContain('AEP refused it afterwards')
    await inspect(operator, 'events-failed')
    await operator.go(operator.page.getByRole('link', { name: id.slice(0, 8) }))
    expect(await operator.text()).toContain('Failed: feedback')
    await inspect(operator, 'event-failed')
  }, 180_000)
})

describe('a relay that loses something', () => {
  it('says what is about to be erased for its age, and what is turned away', async () => {
    // A minute and a half; said from half of it on.
    const [relay, operator] = await relayWith({ RETENTION_DAYS: '0.001' })
    await relay.post('feedback', chat())
    await relay.aepAnswers(503)
    await relay.post('feedback', chat())
    await operator.untilText('Stored events will be erased soon, for their age.', 80_000)
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'expiring')

    await relay.aepWorks()
    for (let each = 0; each < 10; each += 1) await relay.post('no-such-kind', chat())
    const isTold = async () => {
      await relay.tick(5)
      await operator.page.reload()
      return operator.text()
    }
    await expect
      .poll(isTold, { timeout: 40_000, interval: 1_000 })
      .toContain('Webhooks are refused')
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'webhooks-refused')
    await operator.follow('Alerts')
    await inspect(operator, 'alerts-firing')
  }, 180_000)

  it('shows nothing but that the outbox does not answer', async () => {
    // There is none of this jurisdiction on this machine.
    const [, operator] = await relayWith({ OUTBOX_JURISDICTION: 'eu' })
    expect(await operator.text()).toMatch(/^The outbox does not answer Webhooks that AEP does not/)
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'storage')
  })

  it('says that AEP keeps nothing', async () => {
    const [relay, operator] = await relayWith({ AEP_READ_CLIENT_ID: 'local-reader' })
    await relay.aep('rule', { answer: { type: 'failLater' } })
    for (let each = 0; each < 4; each += 1) await relay.post('feedback', chat())
    await expect.poll(async () => (await relay.status()).forwarded, { timeout: 20_000 }).toBe(4)
    await relay.tick(20)
    await operator.untilText('AEP keeps nothing of what it accepts: of 4 records none')
    expect(await tone(operator)).toBe('card bad')
    await inspect(operator, 'kept-none')
  }, 180_000)
})

describe('what is asked, and cannot be done', () => {
  it('says so: nothing ticked, too many attempts to sign in', async () => {
    const [relay, operator] = await relayWith({})
    await operator.page.goto(`${relay.url}/admin/ui/delete?state=all&ids=`)
    expect(await operator.text()).toContain('No event is ticked Nothing was done.')
    await inspect(operator, 'none-ticked')
    const guesser = await world.signedOut()
    await guesser.page.goto(`${relay.url}/admin/sign-in`)
    // Ten a minute of the wall clock: where a minute ends between them, the next ten begin, so the 21st is refused at the latest.
    let said = ''
    for (let each = 0; each < 21 && !said.includes('Too many attempts'); each += 1) {
      await guesser.page.getByLabel('Admin token').fill('not-the-token-of-this-relay')
      await guesser.press('Sign in')
      said = await guesser.text()
    }
    expect(said).toContain('Too many attempts. Try again in a minute.')
    await inspect(guesser, 'sign-in-slowed')
  })

  it('says that a person’s events still arrive, after ten rounds of erasing', async () => {
    const [relay, operator] = await relayWith({ FORWARD_TIMEOUT_MS: '0' })
    await relay.aepAnswers(503)
    const theirs = chat()
    await relay.post('feedback', theirs)
    await operator.follow('Erase')
    await operator.page.getByLabel(/^(In full|The full)/).fill(theirs.visitor.email)
    await operator.page.getByLabel('Days to suppress').fill('0')
    await operator.press('Show what there is')
    await inspect(operator, 'erase-without-suppression')
    await operator.press('Erase')
    for (let round = 2; round <= 10; round += 1) {
      await relay.post('feedback', { ...theirs, message: `Once more, ${round}` })
      await operator.press('Erase what came meanwhile')
    }
    expect(await operator.text()).toContain('still arrive or stay: erase again')
    expect(await operator.text()).toContain('They are not suppressed: new events of theirs')
    await inspect(operator, 'erase-unfinished')
  })

  it('shows what is masked in what would be sent, and asks before one event is deleted', async () => {
    const [relay, operator] = await relayWith({ FORWARD_TIMEOUT_MS: '0', REDACT: 'card, email' })
    await relay.aepAnswers(503)
    const { id } = await relay.post('feedback', chat('My card is 4111 1111 1111 1111'))
    await operator.page.goto(`${relay.url}/admin/ui/events/${id}`)
    await operator.follow('What would be sent now')
    expect(await operator.text()).toContain('Masked message: My card is [card]')
    await inspect(operator, 'preview-masked')
    await operator.page.goBack()
    await operator.follow('Delete…')
    expect(await operator.text()).toContain('Delete 1 pending event?')
    await inspect(operator, 'delete-one')
  })
})

describe('a staging relay that stores first', () => {
  const NAME = 'staging of the marketing department, Europe'

  it('is told from production, and shows what was buffered, and suppressed by a trait', async () => {
    const [relay, operator] = await relayWith({
      ENVIRONMENT: NAME,
      FORWARD_TIMEOUT_MS: '0',
      OPT_OUT_TRAIT: 'consent=no',
      WEBHOOK_KEYS: `shop:${KEY}`,
    })
    for (let each = 0; each < 3; each += 1) {
      expect((await relay.post('transcript', transcript())).outcome).toBe('buffered')
    }
    const { visitor, ...rest } = chat()
    const optedOut = { ...rest, visitor: { ...visitor, identTraits: { consent: 'no' } } }
    expect((await relay.post('feedback', optedOut)).outcome).toBe('suppressed')
    await operator.untilText('Relaying. Nothing is pending.')
    await operator.untilText(/at least: 4 in all/)
    expect(await operator.page.locator('.env.other').innerText()).toBe(NAME)
    for (let width = 320; width <= 1920; width += 40) {
      await operator.page.setViewportSize({ width, height: 800 })
      expect([width, await headerFaults(operator)]).toEqual([width, []])
    }
    await inspect(operator, 'store-first')
    await operator.follow('Events')
    expect(await operator.text()).toContain('transcript · shop')
    await operator.page.getByText('By person or conversation').click()
    await inspect(operator, 'events-with-sources')
    await operator.follow('Days')
    expect(await operator.text()).toMatch(/transcript shop 3 3 0 0/)
    await inspect(operator, 'days')
  }, 180_000)
})

describe('signing in', () => {
  it('by Access alone says what is missing', async () => {
    const [, operator] = await relayWith({ ADMIN_TOKEN: '', ACCESS_AUD: 'an-audience' })
    expect(await operator.text()).toContain('Cloudflare Access signs operators in')
    await inspect(operator, 'sign-in-access')
  })
})

describe('an address that there is nothing at', () => {
  it.each(['/', '/no-such-page'])('is a page for a person: %s', async (path) => {
    const operator = await world.signedIn()
    await operator.open(path)
    expect(await operator.text()).toBe('Nothing here This is the Chatlio relay. Operators: /admin.')
    await inspect(operator, path === '/' ? 'root' : 'unknown')
  })
})
