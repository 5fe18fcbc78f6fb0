/** The operators' page: see it, find it, fix it. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { addressesOf, codeIn, hiddenIn, startBrowser, textOf } from './page-support.ts'
import { type Clock, conversation, drainAll, eachTest, type Relay } from './support.ts'

let aep: LocalAdobe
let clock: Clock
let relay: Relay
let browser: ReturnType<typeof startBrowser>

eachTest((world) => {
  ;({ aep, clock, relay } = world)
})

beforeEach(async () => {
  browser = startBrowser()
  await browser.signIn()
})

const textAt = async (path: string) => textOf((await browser.visit(path)).html)
const invalidTranscript = (name: string) => ({ visitor: { UUID: name }, messages: name })

/** Events that AEP refuses, and one that it takes, so that it is the events' fault. */
async function refuse(count: number): Promise<string[]> {
  aep.rule({ containing: 'poison', answer: { type: 'status', status: 400 } })
  const ids: string[] = []
  for (let each = 0; each < count; each += 1) {
    clock.advance(1_000)
    await relay.post('feedback', conversation())
    ids.push(String((await relay.post('feedback', conversation({ message: 'poison' }))).body.id))
  }
  return ids
}

describe('the overview', () => {
  it('says how things are, in one sentence, and what to do', async () => {
    expect(await textAt('/admin')).toContain(
      'Relaying. No webhook has come yet. Alerts go nowhere.',
    )
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation())
    // An isolate repeats what it knows of the health of the relay for two seconds.
    clock.advance(3_000)
    expect(await textAt('/admin')).toMatch(
      /AEP does not take events at the moment\. 1 event pending\..*What to do: Nothing, as a rule\. What is pending is sent/,
    )
  })

  it.each([
    ['credentials', 401, 'AEP refuses our credentials', 'Check the client secret'],
    ['configuration', 404, 'AEP cannot be reached as configured', 'Correct it in wrangler.toml'],
  ])('names a hold for %s in the words of its alert', async (_reason, status, title, action) => {
    aep.rule({ answer: { type: 'status', status } })
    await relay.post('feedback', conversation())
    const text = await textAt('/admin')
    expect(text).toContain(`${title}. 1 event pending.`)
    expect(text).toContain(action)
    expect(text).toContain('Try again now')
  })

  it('says that no webhook gets in when no key is usable', async () => {
    const closed = startBrowser({ WEBHOOK_KEYS: '' })
    const { html } = await closed.signIn()
    expect(textOf(html)).toContain('No webhook key is usable')
  })

  it('shows a ledger whose sum a person can check', async () => {
    await refuse(2)
    await relay.post('transcript', invalidTranscript('q'))
    await relay.report()
    const text = await textAt('/admin')
    expect(text).toContain('It balances: 0 + 0 + 2 + 1 + 0 = 3.')
    expect(text).toContain(
      'at least: 2 events forwarded straight to AEP, 0 of suppressed people dropped, 0 lost.',
    )
  })

  it('draws what came in 24 hours; a bar says its figures, and leads to the events of its hour', async () => {
    await refuse(2)
    await relay.report()
    const { html } = await browser.visit('/admin')
    expect(textOf(html)).toContain('Webhooks an hour (UTC), at least: 4 in all')
    expect(html.match(/<rect class="f\d"/g)?.length).toBe(2)
    expect(html.match(/class="tip"/g)?.length).toBe(24)
    const [, link = '', figures] =
      html.match(/<a href="([^"]*day[^"]*)"><svg.*?<span class="tip">(.*?)<\/span>/) ?? []
    expect(figures).toMatch(/^\d\d:00 UTC: 2 forwarded, 2 dead or quarantined$/)
    // A bar leads to the events of its hour, and to no others.
    clock.advance(3_600_000)
    const { body } = await relay.post('unanswered', conversation())
    await relay.report()
    const hour = await browser.visit(link.replaceAll('&amp;', '&'))
    expect(textOf(hour.html)).toContain('4 shown, the newest first')
    expect(hour.html).not.toContain(body.id)
  })

  it('groups what was refused by cause, each with its count and its two remedies', async () => {
    await refuse(3)
    await relay.post('transcript', invalidTranscript('q'))
    const { html } = await browser.visit('/admin')
    const text = textOf(html)
    expect(text).toContain('AEP refused it feedback 3 ')
    expect(text).toContain('Not of the documented shape · messages transcript 1 ')
    expect(text).toMatch(/See Redrive 3 .*See Redrive 1/)
    const link = addressesOf(html).find((address) => address.includes('code=rejected')) ?? ''
    expect(await textAt(link)).toContain('3 of 3 events shown')
  })

  it('pauses and resumes, and says so once', async () => {
    const paused = await browser.submit('/admin/ui/pause')
    expect(textOf(paused.html)).toMatch(/Paused\. Within 10 seconds .*Relaying is paused\./)
    expect(paused.html).toContain('data-clean="/admin"')
    const resumed = await browser.submit('/admin/ui/resume')
    expect(textOf(resumed.html)).toMatch(/Resumed.*Relaying\./)
  })
})

describe('events', () => {
  it('are listed by every filter, which the address keeps', async () => {
    const [id = ''] = await refuse(2)
    await relay.post('transcript', invalidTranscript('q'))
    expect(await textAt('/admin/ui/events?state=pending')).toContain(
      'No event matches: nothing is pending here.',
    )
    const { html: both } = await browser.visit('/admin/ui/events')
    expect(textOf(both)).toMatch(/Quarantined transcript .*Dead feedback/)
    expect(both).toContain('<td><mark>Dead</mark></td>')
    expect(textOf(both)).toContain('a receipt is left for 7 days.')
    const day = new Date(clock.now).toISOString().slice(0, 10)
    const hour = new Date(clock.now).toISOString().slice(0, 13)
    const all = ['', '&kind=feedback', '&code=rejected', '&path=-', `&day=${day}`, `&day=${hour}`]
    for (const filter of all) {
      const { html } = await browser.visit(`/admin/ui/events?state=dead${filter}`)
      expect(html).toContain(`/admin/ui/events/${id}`)
    }
    for (const filter of [
      '&kind=transcript',
      '&code=timeout',
      '&path=x',
      '&day=2020-01-01',
      `&day=${day}T00`,
    ]) {
      expect(await textAt(`/admin/ui/events?state=dead${filter}`)).toContain('No event matches')
    }
  })

  it('come a page at a time, each of them once', async () => {
    await refuse(5)
    const seen: string[] = []
    let path = '/admin/ui/events?state=dead&limit=2'
    for (let pages = 0; path !== '' && pages < 9; pages += 1) {
      const { html } = await browser.visit(path)
      seen.push(...[...html.matchAll(/events\/([0-9a-f]{64})"/g)].map(([, id = '']) => id))
      path = addressesOf(html).find((address) => address.includes('cursor=')) ?? ''
    }
    expect([seen.length, new Set(seen).size]).toEqual([5, 5])
  })

  it('show their story: received, each try, what is next', async () => {
    aep.rule({ answer: { type: 'status', status: 503 }, times: 2 })
    const { body } = await relay.post('feedback', conversation())
    expect(await textAt(`/admin/ui/events/${body.id}`)).toMatch(
      /Pending: feedback .*Received and stored\. .*AEP failed \( unavailable 503 \)\. .*What is next: an attempt, due/,
    )
    await drainAll(clock)
    await relay.report()
    expect(await textAt(`/admin/ui/events/${body.id}`)).toMatch(
      /Delivered: feedback .*AEP accepted it, from the outbox/,
    )
  })

  it('say what is next as it is: in a pause, on hold, for what is no JSON', async () => {
    const next = async (id: unknown) =>
      /What is next: (.*?) Payload/.exec(await textAt(`/admin/ui/events/${id}`))?.[1]
    aep.rule({ answer: { type: 'status', status: 401 } })
    const { body: held } = await relay.post('feedback', conversation())
    expect(await next(held.id)).toBe(
      'it is sent when what stops all of them is mended: AEP refuses our credentials. The overview says what to do.',
    )
    await relay.command('/pause', {})
    expect(await next(held.id)).toBe('it is sent when somebody resumes relaying, which is paused.')
    const { body: cut } = await relay.post('feedback', '{"visitor":')
    expect(await next(cut.id)).toMatch(/^nothing\. .* then delete it\.$/)
  })

  it('say once why they are in quarantine, and that AEP has not been asked', async () => {
    const { body } = await relay.post('feedback', '{"visitor":')
    const text = await textAt(`/admin/ui/events/${body.id}?payload=1`)
    expect(text).toMatch(/Quarantined: Not JSON in UTF-8\. What is next/)
    expect(text).toMatch(/AEP’s answer to the last attempt It has not been asked\./)
  })

  it('have a next attempt only while it is to come, wherever they are shown', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const { body } = await relay.post('feedback', conversation())
    const shown = async () => [
      await textAt('/admin/ui/events'),
      await textAt(`/admin/ui/events/${body.id}`),
      textOf((await browser.post('/admin/ui/find', { by: 'id', value: String(body.id) })).html),
    ]
    for (const text of await shown()) expect(text).toMatch(/\bdue\b/)
    clock.advance(3_600_000)
    for (const text of await shown()) expect(text).not.toMatch(/\bdue\b/)
  })

  it('show their payload and AEP’s answer only to who asks', async () => {
    const [id] = await refuse(1)
    expect(await textAt(`/admin/ui/events/${id}`)).not.toContain('poison')
    expect(await textAt(`/admin/ui/events/${id}?payload=1`)).toContain('"message":"poison"')
  })

  it('are redriven, all that match and not only those shown', async () => {
    await refuse(5)
    aep.clearRules()
    const filter = { state: 'dead', code: 'rejected', limit: '2' }
    const { limit: _, ...matching } = filter
    const back = '/admin/ui/events?state=dead&code=rejected'
    const dry = await browser.submit('/admin/ui/redrive', { ...matching, back, dryRun: '1' })
    expect(textOf(dry.html)).toContain(
      'Dry run, nothing was changed: 5 events match, 5 would be sent',
    )
    expect(dry.path).toContain('state=dead&code=rejected')
    expect((await relay.get('/log')).body.entries).toEqual([])
    const done = await browser.submit('/admin/ui/redrive', { ...matching, back })
    expect(textOf(done.html)).toContain('5 events redriven.')
    expect(done.html).toContain(
      'data-clean="/admin/ui/events?state=dead&amp;code=rejected&amp;entry=1"',
    )
    await drainAll(clock)
    expect(await textAt('/admin')).toContain('It balances: 5 + 0 + 0 + 0 + 0 = 5.')
  })

  it('that are still invalid stay, and are counted in words', async () => {
    await relay.post('transcript', invalidTranscript('q1'))
    await relay.post('transcript', invalidTranscript('q2'))
    const done = await browser.submit('/admin/ui/redrive', { state: 'quarantined' })
    expect(textOf(done.html)).toContain('0 events redriven, 2 still invalid.')
  })

  it('are redriven one by one from their own page', async () => {
    const [id = '', other = ''] = await refuse(2)
    const done = await browser.submit('/admin/ui/redrive', {
      state: 'dead',
      ids: id,
      back: `/admin/ui/events/${id}`,
    })
    expect(textOf(done.html)).toMatch(/1 event redriven\. Pending: feedback/)
    expect(await textAt(`/admin/ui/events/${other}`)).toContain('Dead: feedback')
  })

  it('are deleted only after a question that names how many', async () => {
    const [id = ''] = await refuse(3)
    const asked = await browser.visit('/admin/ui/delete?state=dead&kind=feedback')
    expect(textOf(asked.html)).toContain('Delete 3 dead events? ')
    expect(textOf(asked.html)).toContain('Filtered by kind: feedback .')
    expect(await textAt(`/admin/ui/delete?event=${id}`)).toContain('Delete 1 dead event?')
    const ticked = `/admin/ui/delete?state=dead&ids=${id}&ids=none`
    expect(await textAt(ticked)).toContain('Delete 1 dead event?')
    expect(await textAt(ticked)).toContain('1 of the ticked ones is no longer dead.')
    expect((await browser.visit(ticked)).html).toContain(`name="ids" value="${id}"`)
    expect((await relay.get('/status')).body.dead).toBe(3)
    const one = await browser.submit(`/admin/ui/events/${id}/delete`, {
      back: '/admin/ui/events?state=dead',
    })
    expect(textOf(one.html)).toMatch(/1 event deleted\. Dead events .*2 of 2 events shown/)
    const all = await browser.submit('/admin/ui/delete', { state: 'dead', kind: 'feedback' })
    expect(textOf(all.html)).toContain('2 events deleted.')
    expect((await relay.get('/status')).body).toMatchObject({ dead: 0, erased: 3 })
  })
})

const EMAIL = 'anna@example.com'
const theirs = (fields = {}) => conversation({ visitor: { UUID: 'v-1', email: EMAIL }, ...fields })

describe('a person', () => {
  it('is found by email, also what went straight through, and never by an address', async () => {
    await relay.post('feedback', theirs())
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', theirs({ message: 'two' }))
    await relay.report()
    const found = await browser.post('/admin/ui/find', { by: 'email', value: EMAIL, day: '' })
    expect(found.status).toBe(200)
    expect(textOf(found.html)).toMatch(/2 shown, the newest first .*Pending .*AEP failed/)
    expect(addressesOf(found.html).join()).not.toContain('anna')
    const nobody = await browser.post('/admin/ui/find', { by: 'visitor', value: 'v-2' })
    expect(textOf(nobody.html)).toMatch(/Nothing found\..* is of somebody who is suppressed/)
  })

  it('is erased after a dry run, and suppressed until an operator ends it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', theirs())
    await relay.post('feedback', conversation({ message: `ask ${EMAIL}` }))
    const form = { by: 'email', value: EMAIL, suppressDays: '45' }
    const dry = await browser.post('/admin/ui/erase', form)
    expect(textOf(dry.html)).toMatch(
      /Nothing has been erased yet.*Stored events 1 .*Others that mention them, which are kept 1/,
    )
    expect((await relay.get('/status')).body.erased).toBe(0)
    expect(textOf(dry.html)).toContain(`${EMAIL} is not suppressed.`)
    const first = await browser.post('/admin/ui/erase', { ...form, confirm: '1' })
    const said = textOf(first.html)
    expect(said).toContain('1 event and 0 receipts of this person erased. Kept: 1 event of others')
    expect(said).toContain('Not done yet: once more in 11 seconds')
    expect(addressesOf(first.html).join()).not.toContain('anna')
    clock.advance(11_000)
    const done = await browser.post('/admin/ui/erase', hiddenIn(first.html))
    expect(textOf(done.html)).toMatch(
      /holds nothing of this person any more 1 event and 0 receipts.*dropped until.*Adobe still holds/,
    )
    expect(addressesOf(done.html).join()).not.toContain('anna')
    expect(await textAt('/admin/ui/suppressions')).toContain('Suppressed people: 1')
    const end = { by: 'email', value: EMAIL, back: '/admin/ui/suppressions' }
    const ended = await browser.submit('/admin/ui/suppressions/delete', end)
    expect(textOf(ended.html)).toMatch(/The suppression has ended.*Nobody is suppressed\./)
    const again = await browser.submit('/admin/ui/suppressions/delete', end)
    expect(textOf(again.html)).toContain('Nobody by this address or id is suppressed.')
  })
})

describe('erasing by the page', () => {
  const ask = { by: 'email', value: EMAIL, suppressDays: '0' }

  it('goes on until a round finds nothing after every isolate has heard, however early it is asked', async () => {
    await relay.post('feedback', theirs())
    const first = await browser.post('/admin/ui/erase', { ...ask, confirm: '1' })
    const early = await browser.post('/admin/ui/erase', hiddenIn(first.html))
    expect(textOf(early.html)).toContain('Not done yet')
    clock.advance(11_000)
    await relay.post('feedback', theirs({ message: 'two' }))
    await relay.report()
    const found = await browser.post('/admin/ui/erase', hiddenIn(early.html))
    expect(textOf(found.html)).toMatch(/Not done yet.*2 receipts of this person erased/)
    const done = await browser.post('/admin/ui/erase', hiddenIn(found.html))
    expect(textOf(done.html)).toMatch(/holds nothing of this person any more.*not suppressed/)
  })

  it('says so when something is found in each of ten rounds', async () => {
    let form = new URLSearchParams({ ...ask, confirm: '1' })
    for (let round = 1; round <= 10; round += 1) {
      clock.advance(11_000)
      await relay.post('feedback', theirs({ message: String(round) }))
      await relay.report()
      const { html } = await browser.post('/admin/ui/erase', form)
      form = hiddenIn(html)
      const expected = round < 10 ? 'Not done yet' : 'still arrive or stay: erase again'
      expect(textOf(html)).toContain(expected)
    }
  })

  it('ends with a receipt as the command writes it, and one request for all that was given', async () => {
    await relay.post('feedback', theirs())
    await relay.report()
    const given = { by: 'email', value: EMAIL, suppressDays: '30' }
    const asked = new URLSearchParams(given)
    for (const [by, value] of [
      ['visitor', " v'1 "],
      ['email', ''],
      ['email', EMAIL.toUpperCase()],
    ] as const) {
      asked.append('by', by)
      asked.append('value', value)
    }
    const dry = await browser.post('/admin/ui/erase', asked)
    expect(textOf(dry.html)).toContain(`Found for ${EMAIL}, v'1:`)
    const first = await browser.post('/admin/ui/erase', hiddenIn(dry.html))
    clock.advance(11_000)
    const { html } = await browser.post('/admin/ui/erase', hiddenIn(first.html))
    const receipt = JSON.parse(codeIn(html, 'receipt'))
    expect(codeIn(html, 'receipt')).not.toMatch(/anna|v'1/)
    expect(receipt).toMatchObject({
      identities: { email: 1, visitor: 1 },
      rounds: 2,
      receipts: 1,
      nothingLeft: true,
      suppressions: [
        expect.stringMatching(/^[0-9a-f]{16}$/),
        expect.stringMatching(/^[0-9a-f]{16}$/),
      ],
    })
    const request = JSON.parse(codeIn(html, 'request'))
    expect(request.users).toMatchObject([{ key: receipt.key, action: ['delete'] }])
    expect(request.users[0].userIDs.map((id: { value: string }) => id.value)).toEqual([
      EMAIL,
      EMAIL,
      "v'1",
      "v'1",
    ])
    expect(textOf(html)).toContain(
      `Or run npm run erase -- --url https://relay.example --env-file .adobe.env --aep --email ${EMAIL} --visitor 'v'\\''1' --suppress-days 30 , with`,
    )
    const again = await browser.post('/admin/ui/erase', given)
    expect(textOf(again.html)).toContain(`${EMAIL} is suppressed already, until`)
  })
})

describe('drift, alerts and the log', () => {
  it('show what Chatlio sends anew, until it is accepted', async () => {
    await relay.post('feedback', conversation({ brandNew: 'x' }))
    await relay.report()
    expect(await textAt('/admin/ui/drift')).toContain(
      'To look at, feedback: 1 Field Difference Seen Last In Decision brandNew New field: string',
    )
    const key = { kind: 'feedback', path: 'brandNew', change: 'new', back: '/admin/ui/drift' }
    const done = await browser.submit('/admin/ui/drift/accept', key)
    expect(textOf(done.html)).toMatch(/this difference raises no more alerts\..*1 accepted/)
    await relay.post('feedback', conversation({ other: 'x', another: 1 }))
    await relay.report()
    const all = await browser.submit('/admin/ui/drift/accept', { back: '/admin/ui/drift' })
    expect(textOf(all.html)).toMatch(/3 differences accepted: .*There is no difference to look at/)
  })

  it('show every alert, and whether a test gets through', async () => {
    expect(await textAt('/admin/ui/alerts')).toMatch(
      /Alerts go nowhere yet.*Relaying is on hold hold Quiet/,
    )
    const test = await browser.submit('/admin/ui/alerts/test')
    expect(textOf(test.html)).toContain('not sent: ALERT_WEBHOOK_URL is not set')
    const url = 'http://127.0.0.1:8788/alerts'
    const heard = startBrowser({ ALERT_WEBHOOK_URL: url })
    heard.cookie = browser.cookie
    expect(textOf((await heard.visit('/admin/ui/alerts')).html)).not.toContain(
      'Alerts go nowhere yet',
    )
  })

  it('show an alert that fires before the quiet ones', async () => {
    await relay.post('feedback', conversation({ brandNew: 'x' }))
    await relay.report()
    await relay.scheduled()
    expect(await textAt('/admin/ui/alerts')).toMatch(
      /Last message Chatlio sends something other than documented drift Firing/,
    )
  })

  it('show who did what, the newest first, a page at a time', async () => {
    await browser.submit('/admin/ui/pause')
    await refuse(1)
    await browser.submit('/admin/ui/delete', { state: 'dead' })
    expect(await textAt('/admin/ui/log')).toMatch(
      /admin token delete dead matched \d, erased \d .*admin token pause/,
    )
    const { html } = await browser.visit('/admin/ui/log?limit=1')
    const older = addressesOf(html).find((address) => address.includes('cursor=')) ?? ''
    expect(await textAt(older)).toContain('pause')
  })
})

describe('when the outbox does not answer', () => {
  it('says so in words, and shows no half of the truth', async () => {
    const blind = startBrowser({ OUTBOX: { getByName: () => ({}) } })
    blind.cookie = browser.cookie
    const { status, html } = await blind.visit('/admin')
    expect(status).toBe(503)
    expect(textOf(html)).toContain('The outbox does not answer')
  })
})

describe('which relay this is', () => {
  it('stands on every page, and anything but production stands out', async () => {
    const staging = startBrowser({ ENVIRONMENT: 'staging' })
    await staging.signIn()
    for (const path of ['/admin/ui/log', '/admin/ui/nothing', '/admin/ui/events?state=wrong']) {
      const { html } = await staging.visit(path)
      expect(html).toContain('<b class="env other">staging</b>')
      expect(textOf(html)).toMatch(/staging 127\.0\.0\.1:\d+\/….{4}\s· raw/)
    }
    expect(textOf((await staging.visit('/admin')).html)).toContain(
      'npm run verify -- --env staging',
    )
    const production = startBrowser({ ENVIRONMENT: 'production' })
    await production.signIn()
    expect((await production.visit('/admin')).html).toContain('<b class="env">production</b>')
  })

  it('is nothing that a stranger sees', async () => {
    const headers = { accept: 'text/html' }
    const { response, status } = await relay.send('/', { headers })
    const text = textOf(await response.text())
    expect(status).toBe(404)
    expect(text).toContain('This is the Chatlio relay.')
    expect(text).not.toMatch(/127\.0\.0\.1|raw|Log/)
    expect((await relay.send('/')).body.code).toBe('not-found')
    const elsewhere = { ...headers, 'sec-fetch-site': 'cross-site' }
    const refused = await startBrowser().post('/admin/sign-in', {}, elsewhere)
    expect(textOf(refused.html)).toMatch(/^\S.*Refused/)
    expect(textOf(refused.html)).not.toMatch(/127\.0\.0\.1|raw|Log/)
  })
})

describe('all events', () => {
  it('are one list, the newest first, each with its state', async () => {
    await relay.post('unanswered', conversation())
    await relay.report()
    clock.advance(60_000)
    await refuse(2)
    await relay.report()
    expect(await textAt('/admin/ui/events')).toMatch(/Dead feedback .*Delivered unanswered/)
    expect(await textAt('/admin/ui/events?state=dead')).toContain('2 of 2 events shown')
  })

  it.each([
    ['all', ['redrive', 'delete', 'export']],
    ['dead', ['redrive', 'delete', 'export']],
    ['quarantined', ['redrive', 'delete', 'export']],
    ['pending', ['delete', 'export']],
    ['delivered', ['export']],
  ] as const)('of the state %s are ticked, for what can be done with them', async (state, does) => {
    const [id = ''] = await refuse(1)
    await relay.post('transcript', invalidTranscript('q'))
    await relay.report()
    await relay.command('/pause')
    await relay.post('unanswered', conversation())
    const { html } = await browser.visit(`/admin/ui/events?state=${state}`)
    const form = html.match(/<form id="some".*?<\/form>/s)?.[0] ?? ''
    const offered = ['redrive', 'delete', 'export'].filter((each) => form.includes(`ui/${each}"`))
    expect(offered).toEqual(does)
    expect(html).toMatch(/name="ids" value="\w{64}" form="some"/)
    expect(html.includes(`value="${id}" form="some"`)).toBe(state === 'all' || state === 'dead')
  })

  it('of which none is ticked stay as they are, and none leaves', async () => {
    await refuse(2)
    const { html } = await browser.visit('/admin/ui/events?state=dead')
    const hidden = hiddenIn(html.match(/<form id="some".*?<\/form>/s)?.[0] ?? '')
    expect(hidden.get('ids')).toBe('')
    const redriven = await browser.post('/admin/ui/redrive', hidden)
    expect(textOf(redriven.html)).toContain('No event is ticked')
    for (const path of ['/admin/ui/delete', '/admin/ui/export']) {
      const { status, html } = await browser.visit(`${path}?${hidden}`)
      expect([status, textOf(html)]).toEqual([400, expect.stringContaining('No event is ticked')])
    }
    expect((await relay.get('/status')).body).toMatchObject({ dead: 2, erased: 0 })
    expect(await textAt('/admin/ui/log')).toContain('Nothing in the last 90 days.')
  })

  it('are counted where they are, page after page: what is redriven, and what comes of it', async () => {
    const ids = await refuse(3)
    const [id = '', other = ''] = ids
    const back = '/admin/ui/events?state=dead'
    const ticked = new URLSearchParams({ state: 'dead', back })
    for (const each of [id, other]) ticked.append('ids', each)
    aep.clearRules()
    aep.rule({ answer: { type: 'status', status: 503 } })
    const answer = await browser.post('/admin/ui/redrive', ticked)
    const path = answer.headers.get('location') ?? ''
    const { html } = await browser.visit(path)
    expect(textOf(html)).toMatch(
      /2 events redriven\..*Of 2 redriven: 0 accepted, 0 refused again, 2 pending/,
    )
    expect(html).toContain('data-refresh="3"')
    aep.clearRules()
    await drainAll(clock)
    const after = await browser.visit(path)
    expect(textOf(after.html)).toContain(
      'Of 2 redriven: 2 accepted, 0 refused again, 0 pending . In the log',
    )
    expect(after.html).not.toContain('data-refresh')
    const link = addressesOf(after.html).find((each) => each.startsWith('/admin/ui/log/')) ?? ''
    expect(await textAt(link)).toMatch(
      /admin token redrive dead, 2 by id matched 2, redriven 2, still invalid 0 Of 2 redriven: 2 acc/,
    )
    // The third, which was not ticked, is dead all the while.
    expect(await textAt('/admin/ui/events?state=dead')).toContain('1 of 1 event shown')
  })

  it('that AEP refuses once more are told from those that were deleted since', async () => {
    const ids = await refuse(3)
    const filter = { state: 'dead', kind: 'feedback', back: '/admin/ui/events?state=dead' }
    const answer = await browser.post('/admin/ui/redrive', filter)
    const path = answer.headers.get('location') ?? ''
    await relay.post('unanswered', conversation())
    await drainAll(clock)
    expect(await textAt(path)).toContain('Of 3 redriven: 0 accepted, 3 refused again, 0 pending')
    await browser.submit(`/admin/ui/events/${ids[0]}/delete`)
    expect(await textAt(path)).toContain(
      'Of 3 redriven: 1 accepted or erased since, 2 refused again, 0 pending',
    )
    expect(await textAt('/admin/ui/log')).toContain('redrive dead, kind: feedback matched 3')
    expect((await browser.visit('/admin/ui/log/99')).status).toBe(404)
  })

  it('are exported as they are filtered', async () => {
    await refuse(2)
    const { html } = await browser.visit('/admin/ui/events?state=dead&kind=feedback')
    const link = addressesOf(html).find((address) => address.includes('/export?')) ?? ''
    expect(link).toContain('state=dead&kind=feedback')
    const lines = (await browser.visit(link)).html.trim().split('\n')
    expect(lines).toHaveLength(2)
    expect(await textAt('/admin/ui/log')).toMatch(/export dead, kind: feedback/)
  })

  it('show what would be sent, and what is masked in it', async () => {
    await relay.command('/pause')
    await relay.report()
    const message = 'card 4111 1111 1111 1111'
    const { body } = await relay.post('feedback', conversation({ message }))
    const text = await textAt(`/admin/ui/events/${body.id}/preview`)
    expect(text).toContain('Masked message : card [card]')
    const { html } = await browser.visit(`/admin/ui/events/${body.id}/preview`)
    expect(html).toContain('card <mark>[card]</mark>')
    expect(text).not.toContain('4111')
  })

  it('of seven days stand by kind', async () => {
    await relay.post('unanswered', conversation())
    await relay.report()
    // The year, which a phone leaves out, has a tag of its own.
    const day = new Date(clock.now).toISOString().slice(0, 10).replace('-', '- ')
    expect(await textAt('/admin/ui/days')).toMatch(
      new RegExp(`${day} 1 1 0 0 .*By kind and source .*${day} unanswered 1 1 0 0`),
    )
  })
})
