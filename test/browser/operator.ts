/**
 * An operator at a browser. Each test gets a window of its own, signed in; a window that logged an error, or met something
 * that the content security policy forbids, fails its test.
 */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type Relay, startRelay, TOKEN } from './relay.ts'
import { CHROMIUM } from './require-chromium.ts'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** AEP must have taken nothing for a minute before its refusals are nobody's but the setting's. */
export const REJECTING_MS = 90_000

const WIDE = { width: 1280, height: 800 }
export const PHONE = { width: 320, height: 740 }
/** What lies between and beyond: a tablet, a large desk. */
const OTHERS = [
  { width: 768, height: 1024 },
  { width: 1920, height: 1080 },
]
const SCHEMES = ['light', 'dark'] as const

/** Every state that is looked at is written there, in both schemes and all widths, for a person to look at too. */
const SHOTS = process.env.SCREENSHOTS
/** The pictures of the documentation. */
const DOCUMENTED = path.join(import.meta.dirname, '../../docs/screenshots')

export type Operator = {
  readonly page: Page
  readonly context: BrowserContext
  /** Opens a page of the relay. */
  open(path: string): Promise<void>
  /** Clicks what leads to another page, and waits for that. */
  go(target: Locator): Promise<void>
  press(name: string): Promise<void>
  follow(name: string): Promise<void>
  /** The text of the content, white space collapsed. */
  text(): Promise<string>
  /** Loads the page again until its content has this text. */
  untilText(text: string | RegExp, timeoutMs?: number): Promise<void>
}

export type World = {
  readonly relay: Relay
  readonly browser: Browser
  signedIn(options?: BrowserContextOptions): Promise<Operator>
  signedOut(options?: BrowserContextOptions): Promise<Operator>
}

/** Call it once in a file, outside any test. */
export function eachFile(use: (world: World) => void): void {
  let relay: Relay | undefined
  let browser: Browser | undefined
  const contexts: BrowserContext[] = []
  const complaints: string[] = []

  beforeAll(async () => {
    ;[relay, browser] = await Promise.all([
      startRelay(),
      chromium.launch({ executablePath: CHROMIUM, args: ARGS }),
    ])
    use(worldOf(relay, browser, contexts, complaints))
  })
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
    await relay?.aepWorks()
    expect(complaints.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await relay?.stop()
  })
}

function worldOf(
  relay: Relay,
  browser: Browser,
  contexts: BrowserContext[],
  complaints: string[],
): World {
  let session: BrowserContextOptions['storageState']
  const open = async (options: BrowserContextOptions) => {
    const context = await browser.newContext({ viewport: WIDE, ...options })
    contexts.push(context)
    return operatorOf(relay, context, complaints)
  }
  return {
    relay,
    browser,
    signedOut: (options = {}) => open(options),
    async signedIn(options = {}) {
      // Signing in is slowed, so it is done once in a file.
      session ??= await sessionOf(relay, browser)
      return open({ storageState: session, ...options })
    },
  }
}

async function sessionOf(relay: Relay, browser: Browser) {
  const context = await browser.newContext()
  const answer = await context.request.post(`${relay.url}/admin/sign-in`, {
    form: { token: TOKEN },
    headers: { origin: relay.url },
  })
  expect(answer.ok()).toBe(true)
  const state = await context.storageState()
  await context.close()
  return state
}

async function operatorOf(
  relay: Relay,
  context: BrowserContext,
  complaints: string[],
): Promise<Operator> {
  const page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // A page that is refused on purpose, or has nothing to show, is logged as a resource that failed.
    const isRefusal = /^Failed to load resource: the server responded with a status of (4|503)/
    if (['error', 'warning'].includes(message.type()) && !isRefusal.test(message.text())) {
      complaints.push(message.text())
    }
  })
  // A click does not wait for the page that it leads to, and what follows would still see this one.
  const go = async (target: Locator) => {
    const loaded = page.waitForEvent('load')
    await target.click()
    await loaded
  }
  const text = async () => (await page.locator('main').innerText()).replaceAll(/\s+/g, ' ').trim()
  return {
    page,
    context,
    text,
    open: async (place) => void (await page.goto(`${relay.url}${place}`)),
    go,
    press: (name) => go(page.getByRole('button', { name, exact: true })),
    follow: (name) => go(page.getByRole('link', { name, exact: true })),
    async untilText(expected, timeout = 20_000) {
      await expect
        .poll(
          async () => {
            await page.reload()
            return text()
          },
          { timeout, interval: 250 },
        )
        .toMatch(expected)
    },
  }
}

/**
 * What is on the screen is fit for everyone: axe finds nothing in either scheme, and nothing is wider than the screen, from
 * a phone of 320 px to a desk of 1920. `name` is that of its pictures.
 */
export async function inspect({ page }: Operator, name: string): Promise<void> {
  const before = page.viewportSize() ?? WIDE
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme })
    for (const viewport of [WIDE, PHONE, ...OTHERS]) {
      await page.setViewportSize(viewport)
      const place = `${name}, ${colorScheme}, ${viewport.width} px`
      expect(await overflow(page), `wider than the screen: ${place}`).toEqual([])
      if (SHOTS) await shoot(page, SHOTS, `${name}-${colorScheme}-${viewport.width}`, true)
      // Between two widths without violations the same elements are only wider, and a scheme changes colours alone: so
      // each scheme once and each width once, unless pictures are made.
      const isOnce = viewport === (colorScheme === 'light' ? WIDE : PHONE)
      if (!isOnce && (!SHOTS || OTHERS.includes(viewport))) continue
      const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((each) => each.html)}`)
      expect(found, `axe: ${place}`).toEqual([])
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(before)
}

/** A picture for the documentation, when they are made anew. */
export async function picture({ page }: Operator, name: string): Promise<void> {
  if (process.env.UPDATE_SCREENSHOTS !== '1') return
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(WIDE)
  await shoot(page, DOCUMENTED, name, false)
}

async function shoot(page: Page, folder: string, name: string, fullPage: boolean): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.png`)
  // Hiding the caret would need a style of its own, which the page's policy forbids.
  await page.screenshot({ path: file, fullPage, caret: 'initial' })
}

/** What makes the page scroll sideways. */
function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    return [...document.body.querySelectorAll('*')]
      .filter((each) => each.getBoundingClientRect().right > clientWidth)
      .map((each) => each.outerHTML.slice(0, 100))
  })
}
