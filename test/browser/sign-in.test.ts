/** Who gets in, and what others can do with a browser that is in. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { badTranscript } from './chats.ts'
import { eachFile, inspect, type World } from './operator.ts'
import { startRelay, TOKEN } from './relay.ts'

let world: World
eachFile((started) => {
  world = started
})

describe('signing in', () => {
  it('opens the overview with the token, and nothing after signing out', async () => {
    const operator = await world.signedOut()
    const { page } = operator
    await operator.open('/admin')
    expect(page.url()).toBe(`${world.relay.url}/admin/sign-in`)
    await inspect(operator, 'sign-in')
    await page.getByLabel('Admin token').fill(TOKEN)
    await operator.press('Sign in')
    await page.getByRole('heading', { name: 'Relaying. No webhook has come yet.' }).waitFor()
    await inspect(operator, 'overview-empty')
    await operator.press('Sign out')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.goBack()
    expect(page.url()).toBe(`${world.relay.url}/admin/sign-in`)
    await operator.open('/admin/ui/log')
    expect(page.url()).toBe(`${world.relay.url}/admin/sign-in?next=%2Fadmin%2Fui%2Flog`)
  })

  it('says so to a wrong token, and takes the right one then', async () => {
    const operator = await world.signedOut()
    const { page } = operator
    await operator.open('/admin/sign-in')
    await page.getByLabel('Admin token').fill('not-the-token-of-this-relay')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('This is not the admin token.').waitFor()
    expect(await operator.context.cookies()).toEqual([])
    await inspect(operator, 'sign-in-wrong')
    await page.getByLabel('Admin token').fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${world.relay.url}/admin`)
  })
})

describe('a cookie', () => {
  it('is out of reach of scripts, and worth nothing once the token is replaced', async () => {
    const operator = await world.signedIn()
    await operator.open('/admin')
    expect(await operator.page.evaluate(() => document.cookie)).toBe('')
    const replaced = await startRelay({ ADMIN_TOKEN: `${TOKEN}-replaced` })
    try {
      // A browser sends the cookies of a host to all its ports.
      await operator.page.goto(`${replaced.url}/admin`)
      expect(operator.page.url()).toBe(`${replaced.url}/admin/sign-in`)
    } finally {
      await replaced.stop()
    }
  })
})

describe('another site', () => {
  const closing: (() => void)[] = []
  afterEach(() => {
    for (const close of closing.splice(0)) close()
  })

  /** At another origin: `localhost` is another site too, while another port of 127.0.0.1 gets the same cookies. */
  async function elsewhere(host: '127.0.0.1' | 'localhost', html: string): Promise<string> {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end(`<!doctype html><title>x</title>${html}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://${host}:${(server.address() as AddressInfo).port}/`
  }

  it.each(['127.0.0.1', 'localhost'] as const)('cannot frame the page: %s', async (host) => {
    const visitor = await world.browser.newContext({
      storageState: await (await world.signedIn()).context.storageState(),
    })
    const page = await visitor.newPage()
    await page.goto(await elsewhere(host, `<iframe src="${world.relay.url}/admin"></iframe>`))
    const frame = page.frames()[1]
    expect(frame?.url()).toBe('chrome-error://chromewebdata/')
    expect(await frame?.locator('body').innerText()).not.toMatch(/Relaying|Sign in/)
    await visitor.close()
  })

  it('may link to a page, which an operator who is signed in sees at once', async () => {
    const operator = await world.signedIn()
    const asked = `${world.relay.url}/admin/ui/events?state=dead`
    await operator.page.goto(await elsewhere('localhost', `<a href="${asked}">Look</a>`))
    await operator.page.getByRole('link', { name: 'Look' }).click()
    await operator.page.getByRole('heading', { name: 'Events' }).waitFor()
    expect(operator.page.url()).toBe(asked)
  })

  it('may link to a page, which anyone else sees after signing in', async () => {
    const operator = await world.signedOut()
    const { page } = operator
    const asked = `${world.relay.url}/admin/ui/events?state=dead`
    await page.goto(await elsewhere('localhost', `<a href="${asked}">Look</a>`))
    await page.getByRole('link', { name: 'Look' }).click()
    await page.getByLabel('Admin token').fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Events' }).waitFor()
    expect(page.url()).toBe(asked)
  })

  it('cannot pause relaying with the cookie of an operator', async () => {
    const operator = await world.signedIn()
    const form = `<form method="post" action="${world.relay.url}/admin/ui/pause"><button>Win</button></form>`
    await operator.page.goto(await elsewhere('127.0.0.1', form))
    await operator.press('Win')
    await operator.page.getByRole('heading', { name: 'Refused' }).waitFor()
    expect(await operator.text()).toContain('sent from another site, so nothing was done')
    await inspect(operator, 'refused')
    await operator.page.goto(await elsewhere('localhost', form))
    await operator.press('Win')
    await operator.page.waitForURL(`${world.relay.url}/admin/sign-in`)
    expect((await world.relay.status()).hold).toBeNull()
  })
})

describe('a payload', () => {
  it('full of HTML and control characters is shown as text, and does nothing', async () => {
    const hostile =
      '</code></pre><script>window.hacked=1</script><img src=x onerror="window.hacked=2">\u202egnp.exe\u001b[31m'
    const { id } = await world.relay.post('transcript', badTranscript(hostile))
    const operator = await world.signedIn()
    await operator.open(`/admin/ui/events/${id}`)
    await operator.follow('Show them')
    const shown = await operator.page.locator('pre').first().innerText()
    expect(shown).toContain('<script>window.hacked=1</script><img src=x onerror=')
    expect(shown).toContain('\\u{202e}gnp.exe')
    expect(await operator.page.evaluate(() => 'hacked' in window)).toBe(false)
    expect(await operator.page.locator('main img, main script').count()).toBe(0)
    await inspect(operator, 'event-hostile')
  })
})
