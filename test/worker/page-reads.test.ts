/**
 * What a page reads: what it shows and a little, however many events there are. Two look further, up to a bound of their own:
 * a list by a filter that no index serves (`MAX_SCANNED`), and the days (`MAX_COMPLETENESS_EVENTS`).
 */
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { costOf } from './metering.ts'
import { startBrowser } from './page-support.ts'
import { conversation, eachTest, type Relay, storeEvents } from './support.ts'

let aep: LocalAdobe
let relay: Relay

eachTest((world) => {
  ;({ aep, relay } = world)
})

/** More than a page shows. */
const FEW = 120
const MANY = 360

const PAGES = [
  '/admin',
  ...['all', 'pending', 'quarantined', 'delivered'].map(
    (state) => `/admin/ui/events?state=${state}`,
  ),
  '/admin/ui/events?state=quarantined&code=invalid-payload&kind=feedback',
  '/admin/ui/drift',
  '/admin/ui/alerts',
  '/admin/ui/log',
]

/** So many delivered, so many pending, so many in quarantine. */
async function come(count: number): Promise<void> {
  await relay.command('/resume', {})
  for (let each = 0; each < count; each += 1) {
    await relay.post('feedback', conversation())
    await relay.post('feedback', { message: each })
  }
  await relay.report()
  await relay.command('/pause', {})
  await storeEvents(count)
}

it('reads no more where there are three times as many events', async () => {
  const browser = startBrowser()
  await browser.signIn()
  const read = async () => {
    const found: Record<string, number> = {}
    for (const path of PAGES) {
      const { read } = await costOf(aep, () => browser.visit(path))
      found[path] = read
    }
    return found
  }
  await come(FEW)
  const few = await read()
  await come(MANY - FEW)
  const many = await read()
  // One more day's row of receipts, or entry of the log.
  const more = Object.entries(many).filter(([path, read]) => read > Number(few[path]) + 5)
  expect(more).toEqual([])
  expect(Math.max(...Object.values(many))).toBeLessThan(FEW * 3)
})
