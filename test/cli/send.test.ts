/** `npm run send` against a real Worker, which streams into the local Adobe (raw). */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main as send } from '../../src/cli/send/main.ts'
import { LOCAL_URL } from '../../src/cli/send/options.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import { ROUTE_KINDS } from '../../src/worker/chatlio/kind.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'
import { capturePrinted, KEY } from './relay-test.ts'

const printed = capturePrinted()
let aep: LocalAdobeServer
let worker: RelayProcess

beforeAll(async () => {
  aep = await startLocalAdobe()
  worker = await startRelayProcess({
    AEP_ENDPOINT: `${aep.url}/collection/${aep.adobe.settings.inletId}`,
    AEP_FLOW_ID: 'local-flow',
    WEBHOOK_KEYS: KEY,
  })
})
afterAll(async () => {
  await worker.stop()
  await aep.close()
})

describe('send', () => {
  it.each([...ROUTE_KINDS, 'auto'])('posts a %s', async (kind) => {
    const before = aep.adobe.lake.length
    expect(await send([kind, '--url', worker.url, '--key', KEY]), printed.text()).toBe(0)
    expect(printed.text()).toContain('200 forwarded')
    expect(aep.adobe.lake.length).toBe(before + 1)
  })

  it('has the address and the key of npm start by default', async () => {
    const start = await readFile(new URL('../../src/cli/start/main.ts', import.meta.url), 'utf8')
    expect(start).toContain('WEBHOOK_KEYS: LOCAL_KEY')
    const options = await readFile(
      new URL('../../src/cli/start/options.ts', import.meta.url),
      'utf8',
    )
    expect(options).toContain(`default: '${new URL(LOCAL_URL).port}'`)
  })

  it('takes a whole webhook URL as it stands in Chatlio', async () => {
    expect(await send(['feedback', '--url', `${worker.url}/chatlio/transcript?key=${KEY}`])).toBe(0)
    expect(aep.adobe.lake.at(-1)?.record).toMatchObject({ eventType: 'chatlio.feedback' })
  })

  it('posts a file byte for byte, and says what is wrong with it', async () => {
    const file = ['--file', 'test/fixtures/transcript.json']
    expect(await send(['feedback', '--url', worker.url, '--key', KEY, ...file])).toBe(1)
    expect(printed.text()).toContain('422 invalid-payload')
    expect(printed.text()).toContain(
      'The JSON does not have the documented shape: visitor.UUID: required, and missing.',
    )
    expect(printed.text()).toMatch(
      /Stored in quarantine, .*: http:\S+\/admin\/ui\/events\/[0-9a-f]{64}/,
    )
  })

  it('ends with 1 when the key is wrong, and never prints it', async () => {
    const key = 'not-the-key-of-the-relay'
    expect(await send(['transcript', '--url', worker.url, '--key', key])).toBe(1)
    expect(printed.text()).toContain('401 unauthorized')
    expect(printed.text()).toContain('Neither relayed nor stored.')
    expect(printed.text()).not.toContain(key)
  })

  it.each([
    [[], 'KIND'],
    [['gossip'], 'KIND'],
    [['transcript', '--url', 'https://relay.example.com'], 'WEBHOOK_KEYS'],
    [['transcript', '--file', 'no/such/file'], 'no/such/file'],
  ])('ends with 2 for %j', async (args, named) => {
    expect(await send(args)).toBe(2)
    expect(printed.text()).toContain(named)
  })
})
