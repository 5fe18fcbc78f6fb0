import { describe, expect, it } from 'vitest'
import { parseConfig, type Variables } from '../../src/worker/config/config.ts'
import { settingsOf } from '../../src/worker/config/destination.ts'
import { shownSettings } from '../../src/worker/config/variables.ts'

const KEY = 'correct-horse-battery-staple'
const OTHER_KEY = 'the-other-key-of-a-rotation'
const ENDPOINT = 'https://dcs.adobedc.net/collection/inlet-1'

const RAW: Variables = { WEBHOOK_KEYS: KEY, AEP_ENDPOINT: ENDPOINT, AEP_FLOW_ID: 'flow-1' }
const XDM: Variables = {
  WEBHOOK_KEYS: KEY,
  AEP_FORMAT: 'xdm',
  AEP_ENDPOINT: ENDPOINT,
  AEP_ORG_ID: 'org@AdobeOrg',
  AEP_DATASET_ID: 'dataset-1',
  AEP_SCHEMA_ID: 'https://ns.adobe.com/acme/schemas/1',
  AEP_TENANT: 'acme',
}

const named = (key: string, name: string | null = null) => ({ key, name })

const faulty = (env: Variables) => parseConfig(env).problems.map(({ variable }) => variable)

describe('the defaults', () => {
  it('are those of the contract', () => {
    expect(parseConfig(RAW)).toEqual({
      webhookKeys: [named(KEY)],
      webhookKeysFault: null,
      adminToken: null,
      accessAud: null,
      destination: { format: 'raw', url: ENDPOINT, flowId: 'flow-1', credentials: null },
      problems: [],
      forwardTimeoutMs: 3_000,
      drainTimeoutMs: 15_000,
      deliveryConcurrency: 48,
      outboxJurisdiction: null,
      maxEventBytes: 1_000_000,
      retryBaseMs: 1_000,
      retryCapMs: 60_000,
      retentionMs: 30 * 86_400_000,
      receiptMs: 7 * 86_400_000,
      redact: ['card'],
      optOutTrait: null,
      readAccess: {
        available: false,
        why: 'Not set: AEP_READ_CLIENT_ID, AEP_READ_CLIENT_SECRET, AEP_ORG_ID, AEP_DATASET_ID.',
      },
      completeMs: 86_400_000,
      environment: null,
      alerts: {
        ageMs: 900_000,
        silenceMs: 86_400_000,
        webhook: null,
        heartbeatUrl: null,
        publicUrl: null,
      },
    })
  })

  it('have no operators: neither a token nor an audience of Access', () => {
    expect(parseConfig({ ...RAW, ACCESS_AUD: ' ' }).accessAud).toBeNull()
    expect(parseConfig({ ...RAW, ACCESS_AUD: ' aud\n' }).accessAud).toBe('aud')
  })

  it('are those of the contract for xdm too', () => {
    const config = parseConfig(XDM)
    expect(config.problems).toEqual([])
    expect(config.maxEventBytes).toBe(9_500)
    expect(config.destination).toEqual({
      format: 'xdm',
      url: ENDPOINT,
      batchUrl: 'https://dcs.adobedc.net/collection/batch/inlet-1',
      flowId: null,
      orgId: 'org@AdobeOrg',
      datasetId: 'dataset-1',
      schemaId: 'https://ns.adobe.com/acme/schemas/1',
      schemaVersion: '1',
      tenant: 'acme',
      visitorNamespace: 'ChatlioVisitor',
      schemaExtras: [],
      credentials: null,
    })
  })

  it('apply to blank variables', () => {
    const names = Object.keys({ ...XDM, ...RAW })
    const others = [
      'ADMIN_TOKEN',
      'AEP_SCHEMA_VERSION',
      'AEP_VISITOR_NAMESPACE',
      'AEP_CLIENT_ID',
      'AEP_CLIENT_SECRET',
      'AEP_SCOPES',
      'AEP_IMS_URL',
      'FORWARD_TIMEOUT_MS',
      'DRAIN_TIMEOUT_MS',
      'DELIVERY_CONCURRENCY',
      'OUTBOX_JURISDICTION',
      'MAX_EVENT_BYTES',
      'RETRY_BASE_MS',
      'RETRY_CAP_MS',
      'RECEIPT_DAYS',
      'RETENTION_DAYS',
      'AEP_SCHEMA_EXTRAS',
      'AEP_READ_CLIENT_ID',
      'AEP_READ_CLIENT_SECRET',
      'AEP_SANDBOX',
      'AEP_PLATFORM_URL',
      'REDACT',
      'OPT_OUT_TRAIT',
      'COMPLETE_HOURS',
      'ALERT_SILENCE_HOURS',
      'ENVIRONMENT',
    ]
    for (const blank of ['', '  ', null, undefined]) {
      const all = Object.fromEntries([...names, ...others].map((name) => [name, blank]))
      expect(parseConfig({ ...all, ...RAW })).toEqual(parseConfig(RAW))
      expect(parseConfig(all)).toEqual(parseConfig({}))
    }
  })
})

describe('an empty environment', () => {
  it('refuses every caller, relays nothing and names the missing variables', () => {
    const { webhookKeys, adminToken, destination, problems } = parseConfig({})
    expect({ webhookKeys, adminToken, destination }).toEqual({
      webhookKeys: [],
      adminToken: null,
      destination: null,
    })
    expect(problems.map(({ variable }) => variable).sort()).toEqual([
      'AEP_ENDPOINT',
      'AEP_FLOW_ID',
      'WEBHOOK_KEYS',
    ])
  })
})

describe('webhook keys', () => {
  it.each([
    [KEY, [named(KEY)]],
    [`${KEY},${OTHER_KEY}`, [named(KEY), named(OTHER_KEY)]],
    [` ${KEY} ,\n${OTHER_KEY}, `, [named(KEY), named(OTHER_KEY)]],
    [`${KEY}\r\n${OTHER_KEY}\r\n`, [named(KEY), named(OTHER_KEY)]],
    [`${KEY};${OTHER_KEY}`, [named(KEY), named(OTHER_KEY)]],
    [`${KEY} ${OTHER_KEY}`, [named(KEY), named(OTHER_KEY)]],
    [`\ufeff${KEY}`, [named(KEY)]],
    [`${KEY},${KEY}`, [named(KEY)]],
    [`shop:${KEY},blog-2:${OTHER_KEY}`, [named(KEY, 'shop'), named(OTHER_KEY, 'blog-2')]],
    [`shop:${KEY};${OTHER_KEY}`, [named(KEY, 'shop'), named(OTHER_KEY)]],
    [`Shop:${KEY}`, [named(`Shop:${KEY}`)]],
    [`${'n'.repeat(33)}:${KEY}`, [named(`${'n'.repeat(33)}:${KEY}`)]],
    [`example:${KEY}`, [named(KEY, 'example')]],
    ['x'.repeat(20), [named('x'.repeat(20))]],
  ])('are several, perhaps named, in any of the usual forms: %j', (value, keys) => {
    expect(parseConfig({ ...RAW, WEBHOOK_KEYS: value })).toMatchObject({
      webhookKeys: keys,
      webhookKeysFault: null,
      problems: [],
    })
  })

  it.each([
    ['one that is too short', 'x'.repeat(19), 'is too short'],
    ['a number', 7, 'is too short'],
    ['one that is too short after its name', `shop:${'x'.repeat(10)}`, 'is too short'],
    ['a placeholder of an example file', 'change-me-to-a-long-random-key', 'is a placeholder'],
    ['a placeholder of a guide', 'Your-Webhook-Key-Goes-Here', 'is a placeholder'],
    ['one that calls itself an example', 'an-example-key-of-some-length', 'is a placeholder'],
    ['one that calls itself a placeholder', 'PLACEHOLDER-of-some-length', 'is a placeholder'],
    ['a named placeholder', 'shop:placeholder-of-some-length', 'is a placeholder'],
    ['a short placeholder', 'change-me', 'is a placeholder'],
    ['one in quotes', `"${OTHER_KEY}"`, 'has quotes or brackets'],
    ['one in single quotes', `'${OTHER_KEY}'`, 'has quotes or brackets'],
    ['one in typographic quotes', `\u201c${OTHER_KEY}\u201d`, 'has quotes or brackets'],
    ['one in brackets', `<${OTHER_KEY}>`, 'has quotes or brackets'],
    ['a list of JSON', `["${OTHER_KEY}"]`, 'has quotes or brackets'],
  ])('are used without %s, which is reported by its position', (_, faulty, why) => {
    for (const [value, position] of [
      [`${KEY},${faulty}`, 2],
      [`${faulty}\n${KEY}`, 1],
    ]) {
      const config = parseConfig({ ...RAW, WEBHOOK_KEYS: value })
      expect(config.webhookKeys).toEqual([named(KEY)])
      expect(config.webhookKeysFault).toBeNull()
      expect(config.problems).toEqual([
        { variable: 'WEBHOOK_KEYS', expected: expect.stringContaining(`(key ${position} ${why})`) },
      ])
      expect(JSON.stringify(config.problems)).not.toContain(String(faulty).slice(0, 12))
      // Relaying goes on: a wrong key is no reason to hold what has come in with the others.
      expect(config.destination).not.toBeNull()
    }
    const alone = parseConfig({ ...RAW, WEBHOOK_KEYS: faulty })
    expect(alone.webhookKeys).toEqual([])
    expect(alone.webhookKeysFault).toContain(why)
    expect(alone.destination).not.toBeNull()
  })

  it.each([undefined, '', ' , ,;\n'])('are none: %j', (value) => {
    const config = parseConfig({ ...RAW, WEBHOOK_KEYS: value })
    expect(config.webhookKeys).toEqual([])
    expect(config.webhookKeysFault).toContain('none is set')
    expect(config.problems.map(({ variable }) => variable)).toEqual(['WEBHOOK_KEYS'])
  })

  it('works as a whole when it is an old one with a colon, and says that its end is too short', () => {
    const old = 'abcdefghij:klmnopqrst'
    const config = parseConfig({ ...RAW, WEBHOOK_KEYS: old })
    expect(config.webhookKeys).toEqual([named(old)])
    expect(config.problems).toHaveLength(1)
  })

  it.each([
    ['a line end that no shell has made', `${KEY}\\n${OTHER_KEY}`],
    ['a bar', `${KEY}|${OTHER_KEY}`],
    ['a comma of another script', `${KEY}\u3001${OTHER_KEY}`],
    ['a mark of no width', `${KEY}\u200b`],
    ['the line of an env file', `WEBHOOK_KEYS=${KEY}`],
  ])('may have %s in it, which is reported, and works as a whole', (_, value) => {
    const config = parseConfig({ ...RAW, WEBHOOK_KEYS: value })
    expect(config.webhookKeys).toEqual([named(value)])
    expect(config.problems).toMatchObject([
      { expected: 'keys alone, separated by commas (key 1 has a sign that is none of a key)' },
    ])
    expect(config.destination).not.toBeNull()
  })

  it.each([
    'abcdefghijklmnop+/==',
    'schl\u00fcssel-von-genug-l\u00e4nge',
    'a.b_c~d!e*f-g%20hijklmno',
  ])('is none of those: %s', (value) => {
    expect(parseConfig({ ...RAW, WEBHOOK_KEYS: value }).problems).toEqual([])
  })

  it('belongs to one name: the second is reported', () => {
    const config = parseConfig({ ...RAW, WEBHOOK_KEYS: `shop:${KEY},blog:${KEY}` })
    expect(config.webhookKeys).toEqual([named(KEY, 'shop')])
    expect(config.problems[0]?.expected).toContain('key 2 is there under another name')
  })

  it('is reported in a few words, however many are wrong', () => {
    const value = Array.from({ length: 500 }, (_, index) => `k${index}`).join(',')
    const [problem] = parseConfig({ ...RAW, WEBHOOK_KEYS: value }).problems
    expect(problem?.expected).toContain('and 490 more are too short')
    expect(problem?.expected.length).toBeLessThan(200)
  })
})

describe('the admin token', () => {
  it('is accepted from 20 characters on', () => {
    expect(parseConfig({ ...RAW, ADMIN_TOKEN: 'x'.repeat(20) })).toMatchObject({
      adminToken: 'x'.repeat(20),
      problems: [],
    })
  })

  it('counts as not set if it is shorter, without stopping the relaying', () => {
    const config = parseConfig({ ...RAW, ADMIN_TOKEN: 'x'.repeat(19) })
    expect(config.adminToken).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['ADMIN_TOKEN'])
    expect(config.destination).not.toBeNull()
  })

  it('is ignored if it is a placeholder', () => {
    const config = parseConfig({ ...RAW, ADMIN_TOKEN: 'change-me-to-a-long-random-token' })
    expect(config.adminToken).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['ADMIN_TOKEN'])
  })
})

describe('a number', () => {
  it.each([
    ['FORWARD_TIMEOUT_MS', '0', { forwardTimeoutMs: 0 }],
    ['FORWARD_TIMEOUT_MS', 2_500, { forwardTimeoutMs: 2_500 }],
    ['FORWARD_TIMEOUT_MS', ' 2500 ', { forwardTimeoutMs: 2_500 }],
    ['DRAIN_TIMEOUT_MS', '20000', { drainTimeoutMs: 20_000 }],
    ['DELIVERY_CONCURRENCY', '96', { deliveryConcurrency: 96 }],
    ['COMPLETE_HOURS', '0', { completeMs: 0 }],
    ['MAX_EVENT_BYTES', '9000', { maxEventBytes: 9_000 }],
    ['RETRY_BASE_MS', '500', { retryBaseMs: 500 }],
    ['RETRY_CAP_MS', '120000', { retryCapMs: 120_000 }],
    ['RECEIPT_DAYS', '0', { receiptMs: 0 }],
    ['RECEIPT_DAYS', '90', { receiptMs: 90 * 86_400_000 }],
    ['RETENTION_DAYS', '7', { retentionMs: 7 * 86_400_000 }],
    ['RETENTION_DAYS', '0.5', { retentionMs: 43_200_000 }],
  ])('is accepted: %s=%j', (variable, value, expected) => {
    expect(parseConfig({ ...RAW, [variable]: value })).toMatchObject({ ...expected, problems: [] })
  })

  it.each([
    ['FORWARD_TIMEOUT_MS', 'forwardTimeoutMs'],
    ['DRAIN_TIMEOUT_MS', 'drainTimeoutMs'],
    ['DELIVERY_CONCURRENCY', 'deliveryConcurrency'],
    ['COMPLETE_HOURS', 'completeMs'],
    ['MAX_EVENT_BYTES', 'maxEventBytes'],
    ['RETRY_BASE_MS', 'retryBaseMs'],
    ['RETRY_CAP_MS', 'retryCapMs'],
    ['RECEIPT_DAYS', 'receiptMs'],
    ['RETENTION_DAYS', 'retentionMs'],
  ] as const)('has its default and stops relaying if it is invalid: %s', (variable, field) => {
    const broken = ['-1', 'x', '1e3', '0x10', '1,000', '3 000', 'Infinity', '9'.repeat(30), true]
    for (const value of broken) {
      const config = parseConfig({ ...RAW, [variable]: value })
      expect(config[field]).toBe(parseConfig(RAW)[field])
      expect(config.destination).toBeNull()
      expect(config.problems).toEqual([
        { variable, expected: expect.stringContaining('number') as string },
      ])
      expect(config.webhookKeys).toEqual([named(KEY)])
    }
  })

  it.each([
    'DRAIN_TIMEOUT_MS',
    'DELIVERY_CONCURRENCY',
    'MAX_EVENT_BYTES',
    'RETRY_BASE_MS',
    'RETENTION_DAYS',
  ])('may not be zero if zero has no meaning: %s', (variable) => {
    expect(faulty({ ...RAW, [variable]: '0' })).toEqual([variable])
  })

  it('is an integer, except for days', () => {
    for (const variable of ['FORWARD_TIMEOUT_MS', 'DELIVERY_CONCURRENCY', 'RETRY_CAP_MS']) {
      expect(faulty({ ...RAW, [variable]: '1.5' })).toEqual([variable])
    }
  })

  it('has a default for each format if it is MAX_EVENT_BYTES', () => {
    expect(parseConfig({ ...XDM, MAX_EVENT_BYTES: 'x' }).maxEventBytes).toBe(9_500)
    expect(parseConfig({ ...RAW, MAX_EVENT_BYTES: 'x' }).maxEventBytes).toBe(1_000_000)
    expect(faulty({ ...RAW, MAX_EVENT_BYTES: '1000001' })).toEqual(['MAX_EVENT_BYTES'])
  })

  it('gives the outbox at least the time of a request', () => {
    const config = parseConfig({ ...RAW, FORWARD_TIMEOUT_MS: '20000', DRAIN_TIMEOUT_MS: '5000' })
    expect(config).toMatchObject({ forwardTimeoutMs: 20_000, drainTimeoutMs: 20_000, problems: [] })
    expect(parseConfig({ ...RAW, FORWARD_TIMEOUT_MS: '20000' }).drainTimeoutMs).toBe(20_000)
  })

  it('never caps the backoff below its base', () => {
    const config = parseConfig({ ...RAW, RETRY_BASE_MS: '90000' })
    expect(config.retryCapMs).toBeGreaterThanOrEqual(config.retryBaseMs)
  })
})

describe('the endpoint', () => {
  it.each([
    [ENDPOINT, ENDPOINT],
    [` ${ENDPOINT} `, ENDPOINT],
    [`${ENDPOINT}?syncValidation=true`, `${ENDPOINT}?syncValidation=true`],
    ['http://localhost:8788/collection/x', 'http://localhost:8788/collection/x'],
    ['http://127.0.0.1:8788/collection/x', 'http://127.0.0.1:8788/collection/x'],
    ['http://127.8.9.10/collection/x', 'http://127.8.9.10/collection/x'],
    ['http://[::1]:8788/collection/x', 'http://[::1]:8788/collection/x'],
    ['HTTPS://DCS.adobedc.net/collection/x', 'https://dcs.adobedc.net/collection/x'],
  ])('is https, or http on loopback: %s', (value, url) => {
    expect(parseConfig({ ...RAW, AEP_ENDPOINT: value })).toMatchObject({
      destination: { url },
      problems: [],
    })
  })

  it.each([
    ['plain http', 'http://dcs.adobedc.net/collection/x'],
    ['http to a name that begins like loopback', 'http://localhost.example.com/collection/x'],
    ['http to an address that begins like it', 'http://127.0.0.1.example.com/collection/x'],
    ['http to a name that ends like it', 'http://notlocalhost/collection/x'],
    ['http to another machine of the network', 'http://192.168.0.1/collection/x'],
    ['http with a user name like loopback', 'http://localhost@example.com/collection/x'],
    ['a placeholder', 'https://dcs.adobedc.net/collection/{INLET_ID}'],
    ['no scheme', 'dcs.adobedc.net/collection/x'],
    ['another scheme', 'ftp://dcs.adobedc.net/collection/x'],
    ['a script', 'javascript:alert(1)'],
    ['a password', 'https://user:pass-word@dcs.adobedc.net/collection/x'],
    ['a user', 'https://user@dcs.adobedc.net/collection/x'],
    ['words', 'not set yet'],
  ])('is refused and stops relaying if it is %s', (_, value) => {
    const config = parseConfig({ ...RAW, AEP_ENDPOINT: value })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_ENDPOINT'])
    expect(config.webhookKeys).toEqual([named(KEY)])
  })

  it.each([RAW, XDM])('is required: %j', (env) => {
    const config = parseConfig({ ...env, AEP_ENDPOINT: undefined })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_ENDPOINT'])
  })
})

describe('the flow id', () => {
  const inUrl = `${ENDPOINT}?x-adobe-flow-id=flow-2`

  it('is required for raw only', () => {
    const config = parseConfig({ ...RAW, AEP_FLOW_ID: undefined })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_FLOW_ID'])
    expect(parseConfig({ ...XDM, AEP_FLOW_ID: 'flow-1' }).destination).toMatchObject({
      flowId: 'flow-1',
    })
  })

  it.each([
    ['raw', RAW],
    ['xdm', XDM],
  ])("is read from the endpoint's query in %s, where Adobe puts it", (_, env) => {
    const config = parseConfig({ ...env, AEP_ENDPOINT: inUrl, AEP_FLOW_ID: undefined })
    expect(config).toMatchObject({ destination: { flowId: 'flow-2' }, problems: [] })
  })

  it('may be in both places if both are the same', () => {
    const config = parseConfig({ ...RAW, AEP_ENDPOINT: inUrl, AEP_FLOW_ID: 'flow-2' })
    expect(config).toMatchObject({ destination: { flowId: 'flow-2' }, problems: [] })
  })

  it.each([
    ['raw', RAW],
    ['xdm', XDM],
  ])('stops relaying if the two differ, in %s', (_, env) => {
    const config = parseConfig({ ...env, AEP_ENDPOINT: inUrl, AEP_FLOW_ID: 'flow-1' })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_FLOW_ID'])
  })

  it('counts as missing if it is empty in the query', () => {
    const AEP_ENDPOINT = `${ENDPOINT}?x-adobe-flow-id=`
    expect(faulty({ ...RAW, AEP_ENDPOINT, AEP_FLOW_ID: undefined })).toEqual(['AEP_FLOW_ID'])
    expect(parseConfig({ ...RAW, AEP_ENDPOINT }).destination).toMatchObject({ flowId: 'flow-1' })
  })

  it.each(['flow 1', 'flow\u00071', '\u201cflow-1\u201d'])(
    'cannot be %j, which is not a valid header value',
    (id) => {
      expect(faulty({ ...RAW, AEP_FLOW_ID: id })).toContain('AEP_FLOW_ID')
      const inUrl = `${ENDPOINT}?x-adobe-flow-id=${encodeURIComponent(id)}`
      expect(faulty({ ...RAW, AEP_ENDPOINT: inUrl, AEP_FLOW_ID: undefined })).toContain(
        'AEP_ENDPOINT',
      )
    },
  )
})

describe('xdm', () => {
  it.each([
    [ENDPOINT, 'https://dcs.adobedc.net/collection/batch/inlet-1'],
    [
      `${ENDPOINT}?x-adobe-flow-id=flow-2&a=b`,
      'https://dcs.adobedc.net/collection/batch/inlet-1?x-adobe-flow-id=flow-2&a=b',
    ],
    ['http://localhost:8788/collection/x', 'http://localhost:8788/collection/batch/x'],
  ])('has a batch path with the same query: %s', (AEP_ENDPOINT, batchUrl) => {
    expect(parseConfig({ ...XDM, AEP_ENDPOINT }).destination).toMatchObject({ batchUrl })
  })

  it.each([
    'https://dcs.adobedc.net/',
    'https://dcs.adobedc.net/collection/',
    'https://dcs.adobedc.net/collection/batch/inlet-1',
    'https://dcs.adobedc.net/other/inlet-1',
  ])('has none and stops relaying if the endpoint has another form: %s', (AEP_ENDPOINT) => {
    const config = parseConfig({ ...XDM, AEP_ENDPOINT })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_ENDPOINT'])
  })

  it.each(['AEP_ORG_ID', 'AEP_DATASET_ID', 'AEP_SCHEMA_ID', 'AEP_TENANT'])(
    'needs %s',
    (variable) => {
      for (const value of [undefined, '', ' ']) {
        const config = parseConfig({ ...XDM, [variable]: value })
        expect(config.destination).toBeNull()
        expect(config.problems.map((problem) => problem.variable)).toEqual([variable])
      }
      expect(faulty({ ...RAW, [variable]: undefined })).toEqual([])
    },
  )

  it('needs more than an underscore in AEP_TENANT', () => {
    expect(faulty({ ...XDM, AEP_TENANT: '_' })).toEqual(['AEP_TENANT'])
  })

  it.each([
    ['acme', 'https://ns.adobe.com/acme/schemas/1', 'acme'],
    ['_ACME', 'https://ns.adobe.com/acme/schemas/1', 'acme'],
    ['Acme', 'https://ns.adobe.com/ACME/schemas/1', 'ACME'],
    ['acme', '_acme.schemas.1', 'acme'],
    ['ACME', 'an id of another form', 'acme'],
  ])('has one tenant, forgiving its writing: %s in %s', (AEP_TENANT, AEP_SCHEMA_ID, tenant) => {
    const config = parseConfig({ ...XDM, AEP_TENANT, AEP_SCHEMA_ID })
    expect(config).toMatchObject({ problems: [], destination: { tenant } })
  })

  it.each(['acme2', '_acm', 'other'])(
    'stops relaying if the schema is of another tenant than %s',
    (AEP_TENANT) => {
      const config = parseConfig({ ...XDM, AEP_TENANT })
      expect(config.destination).toBeNull()
      expect(config.problems).toEqual([
        { variable: 'AEP_TENANT', expected: 'the tenant that AEP_SCHEMA_ID names' },
      ])
    },
  )

  it.each([
    ['chat', ['chat']],
    ['contact, chat', ['contact', 'chat']],
    ['CHAT,chat,', ['chat']],
  ])('knows what else the schema has: %s', (AEP_SCHEMA_EXTRAS, schemaExtras) => {
    expect(parseConfig({ ...XDM, AEP_SCHEMA_EXTRAS })).toMatchObject({
      problems: [],
      destination: { schemaExtras },
    })
  })

  it('stops relaying rather than send fields that the schema may not have', () => {
    for (const AEP_SCHEMA_EXTRAS of ['chats', 'chat,none', ',']) {
      expect(faulty({ ...XDM, AEP_SCHEMA_EXTRAS })).toEqual(['AEP_SCHEMA_EXTRAS'])
      expect(parseConfig({ ...XDM, AEP_SCHEMA_EXTRAS }).destination).toBeNull()
    }
  })

  it('accepts its optional variables', () => {
    const env = {
      ...XDM,
      AEP_SCHEMA_VERSION: 3,
      AEP_VISITOR_NAMESPACE: 'Visitor',
      AEP_TENANT: '_acme',
    }
    expect(parseConfig(env).destination).toMatchObject({
      schemaVersion: '3',
      visitorNamespace: 'Visitor',
      schemaExtras: [],
      tenant: 'acme',
    })
  })
})

describe('the format', () => {
  it.each(['RAW', 'json', 'raw,xdm', 'toString', '1'])('is raw or xdm, and not %j', (value) => {
    const config = parseConfig({ ...RAW, AEP_FORMAT: value })
    expect(config.destination).toBeNull()
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_FORMAT'])
  })

  it('is raw if it is set to raw', () => {
    expect(parseConfig({ ...RAW, AEP_FORMAT: 'raw' })).toEqual(parseConfig(RAW))
  })
})

describe('credentials', () => {
  const both = { AEP_CLIENT_ID: 'client-1', AEP_CLIENT_SECRET: 'secret-1' }

  it('are an id and a secret, with defaults for the rest', () => {
    expect(parseConfig({ ...RAW, ...both })).toMatchObject({
      problems: [],
      destination: {
        credentials: {
          clientId: 'client-1',
          clientSecret: 'secret-1',
          scopes: expect.stringContaining('openid') as string,
          imsUrl: 'https://ims-na1.adobelogin.com',
        },
      },
    })
  })

  it('accept other scopes and another address', () => {
    const own = { AEP_SCOPES: 'openid,own', AEP_IMS_URL: 'http://localhost:8788//' }
    for (const env of [RAW, XDM]) {
      expect(parseConfig({ ...env, ...both, ...own }).destination?.credentials).toEqual({
        clientId: 'client-1',
        clientSecret: 'secret-1',
        scopes: 'openid,own',
        imsUrl: 'http://localhost:8788',
      })
    }
  })

  it.each([
    ['AEP_CLIENT_ID', 'AEP_CLIENT_SECRET'],
    ['AEP_CLIENT_SECRET', 'AEP_CLIENT_ID'],
  ])('stop relaying if only %s is set', (variable, missing) => {
    const config = parseConfig({ ...RAW, [variable]: 'x' })
    expect(config.destination).toBeNull()
    expect(config.problems.map((problem) => problem.variable)).toEqual([missing])
  })

  it.each(['http://ims.example.com', 'ims.example.com', 'https://{HOST}'])(
    'are never sent to an unencrypted or invalid address: %s',
    (AEP_IMS_URL) => {
      const config = parseConfig({ ...RAW, ...both, AEP_IMS_URL })
      expect(config.destination).toBeNull()
      expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_IMS_URL'])
    },
  )
})

describe('redaction', () => {
  it.each([
    ['none', []],
    ['card', ['card']],
    ['card, IBAN,email,phone', ['card', 'iban', 'email', 'phone']],
  ])('is by rules: %s', (REDACT, redact) => {
    expect(parseConfig({ ...RAW, REDACT })).toMatchObject({ redact, problems: [] })
  })

  it.each(['cards', 'none,card', 'true'])('stops relaying if it is %j', (REDACT) => {
    expect(faulty({ ...RAW, REDACT })).toEqual(['REDACT'])
    expect(parseConfig({ ...RAW, REDACT }).destination).toBeNull()
  })
})

describe('the trait of those who opted out', () => {
  it.each([
    ['consent=no', ['consent'], 'no'],
    ['consent.chat=false', ['consent', 'chat'], 'false'],
    [' privacy.level = a=b ', ['privacy', 'level'], 'a=b'],
  ])('is a path and a value: %s', (OPT_OUT_TRAIT, path, value) => {
    const config = parseConfig({ ...RAW, OPT_OUT_TRAIT })
    expect(config).toMatchObject({ optOutTrait: { path, value }, problems: [] })
  })

  it.each(['consent', '=no', 'consent=', 'a..b=no', '.a=no'])('is not %j', (OPT_OUT_TRAIT) => {
    expect(faulty({ ...RAW, OPT_OUT_TRAIT })).toEqual(['OPT_OUT_TRAIT'])
    expect(parseConfig({ ...RAW, OPT_OUT_TRAIT }).destination).toBeNull()
  })
})

describe('reading what AEP counts', () => {
  const READ = {
    AEP_READ_CLIENT_ID: 'reader',
    AEP_READ_CLIENT_SECRET: 'its-secret',
    AEP_ORG_ID: 'org@AdobeOrg',
    AEP_DATASET_ID: 'dataset-1',
  }

  it.each([RAW, XDM])('needs a credential of its own, never that of the inlet: %j', (env) => {
    const config = parseConfig({ ...env, ...READ })
    expect(config.problems).toEqual([])
    expect(config.destination?.credentials).toBeNull()
    expect(config.readAccess).toEqual({
      available: true,
      credentials: {
        clientId: 'reader',
        clientSecret: 'its-secret',
        scopes: expect.stringContaining('openid') as string,
        imsUrl: 'https://ims-na1.adobelogin.com',
      },
      platformUrl: 'https://platform.adobe.io',
      sandbox: 'prod',
      orgId: 'org@AdobeOrg',
      datasetId: 'dataset-1',
      flowId: env === RAW ? 'flow-1' : null,
    })
  })

  it.each(Object.keys(READ))('is unavailable without %s, which it names', (name) => {
    const { readAccess, destination } = parseConfig({ ...RAW, ...READ, [name]: '' })
    expect(readAccess).toEqual({ available: false, why: `Not set: ${name}.` })
    expect(destination).not.toBeNull()
  })

  it('never holds up events, and never goes to an address in the open', () => {
    const config = parseConfig({ ...RAW, ...READ, AEP_PLATFORM_URL: 'http://platform.adobe.io' })
    expect(config.readAccess).toMatchObject({ available: false })
    expect(config.problems.map(({ variable }) => variable)).toEqual(['AEP_PLATFORM_URL'])
    expect(config.destination).not.toBeNull()
  })
})

describe('where and what the relay is', () => {
  it('is an operator\u2019s to name, and no reason to stop', () => {
    expect(parseConfig({ ...RAW, ENVIRONMENT: ' staging ' }).environment).toBe('staging')
    const wrong = parseConfig({ ...RAW, ENVIRONMENT: 'x'.repeat(65) })
    expect(wrong).toMatchObject({ environment: null, problems: [{ variable: 'ENVIRONMENT' }] })
    expect(wrong.destination).not.toBeNull()
  })

  it('may be the EU, and nothing that is not known', () => {
    const config = parseConfig({ ...RAW, OUTBOX_JURISDICTION: 'eu' })
    expect(config).toMatchObject({ outboxJurisdiction: 'eu', problems: [] })
    expect(faulty({ ...RAW, OUTBOX_JURISDICTION: 'mars' })).toEqual(['OUTBOX_JURISDICTION'])
  })

  it('is silent for a day before that is worth an alert', () => {
    expect(parseConfig({ ...RAW, ALERT_SILENCE_HOURS: '0' }).alerts.silenceMs).toBe(0)
    expect(faulty({ ...RAW, ALERT_SILENCE_HOURS: '169' })).toEqual(['ALERT_SILENCE_HOURS'])
  })
})

describe('the settings that AEP is sent under', () => {
  const under = (env: Variables) => settingsOf(parseConfig(env).destination)

  it('are others with anything that can change what AEP answers', () => {
    const others = { AEP_ENDPOINT: `${ENDPOINT}2`, AEP_FLOW_ID: 'flow-2' }
    const ofXdm = {
      ...{ AEP_ORG_ID: 'other@AdobeOrg', AEP_DATASET_ID: 'dataset-2', AEP_SCHEMA_VERSION: '2' },
      AEP_SCHEMA_ID: 'https://ns.adobe.com/acme/schemas/2',
    }
    const changed = (env: Variables, by: Variables) =>
      Object.entries(by).map(([variable, value]) => under({ ...env, [variable]: value }))
    const all = [
      ...[under(RAW), under(XDM), under({ ...XDM, AEP_TENANT: 'b', AEP_SCHEMA_ID: 'b' })],
      ...changed(RAW, others),
      ...changed(XDM, { ...others, ...ofXdm }),
      ...[under({}), under({ ...XDM, AEP_TENANT: 'c', AEP_SCHEMA_ID: 'b' })],
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(under({})).toBe('')
  })

  it('are the same with another secret, and with another limit', () => {
    const more = { AEP_CLIENT_ID: 'a', AEP_CLIENT_SECRET: 'b', RETRY_BASE_MS: '500' }
    for (const env of [RAW, XDM]) expect(under({ ...env, ...more })).toBe(under(env))
  })
})

describe('what is shown of the settings', () => {
  it('is their values, of a secret that it is set, and of what is not known nothing', () => {
    const secrets = ['WEBHOOK_KEYS', 'ADMIN_TOKEN', 'AEP_CLIENT_SECRET', 'AEP_READ_CLIENT_SECRET']
    const urls = ['ALERT_WEBHOOK_URL', 'ALERT_HEARTBEAT_URL']
    const env = {
      ...{ AEP_FORMAT: ' xdm ', ENVIRONMENT: 'staging', REDACT: '', RECEIPT_DAYS: 7 },
      ...Object.fromEntries(
        [...secrets, ...urls, 'SOME_LATER_SECRET'].map((name) => [name, 'canary']),
      ),
    }
    expect(shownSettings(env)).toEqual({
      ...{ AEP_FORMAT: 'xdm', ENVIRONMENT: 'staging', RECEIPT_DAYS: '7' },
      ...Object.fromEntries([...secrets, ...urls].map((name) => [name, '(set)'])),
    })
    expect(shownSettings({})).toEqual({})
  })
})

describe('a problem', () => {
  it.each<[string, Variables, string]>([
    ['AEP_FORMAT', { ...RAW, AEP_FORMAT: 'json' }, 'raw or xdm'],
    ['OUTBOX_JURISDICTION', { ...RAW, OUTBOX_JURISDICTION: 'us' }, 'eu, or none'],
    ['AEP_ENDPOINT', { ...RAW, AEP_ENDPOINT: '' }, 'the streaming endpoint'],
    ['AEP_ENDPOINT', { ...RAW, AEP_ENDPOINT: 'x' }, 'a URL'],
    [
      'AEP_ENDPOINT',
      { ...RAW, AEP_ENDPOINT: 'ftp://localhost/collection/x' },
      'an https URL (http only for loopback)',
    ],
    [
      'AEP_ENDPOINT',
      { ...XDM, AEP_ENDPOINT: 'https://x/a/collection/b' },
      'a path of the form /collection/INLET_ID',
    ],
    [
      'AEP_ENDPOINT',
      { ...RAW, AEP_ENDPOINT: `${ENDPOINT}?x-adobe-flow-id=a%20b`, AEP_FLOW_ID: '' },
      'an id in its x-adobe-flow-id',
    ],
    [
      'AEP_FLOW_ID',
      { ...RAW, AEP_ENDPOINT: `${ENDPOINT}?x-adobe-flow-id=other` },
      "the same flow id as in AEP_ENDPOINT's x-adobe-flow-id, or none",
    ],
    ['AEP_FLOW_ID', { ...RAW, AEP_FLOW_ID: '' }, 'a value (raw needs it)'],
    ['AEP_ORG_ID', { ...XDM, AEP_ORG_ID: '' }, 'a value (xdm needs it)'],
    ['AEP_TENANT', { ...XDM, AEP_TENANT: '__' }, 'the tenant id'],
    [
      'AEP_SCHEMA_EXTRAS',
      { ...XDM, AEP_SCHEMA_EXTRAS: 'x' },
      'of chat, contact, separated by commas',
    ],
    ['AEP_CLIENT_SECRET', { ...RAW, AEP_CLIENT_ID: 'x' }, 'a value, since its counterpart is set'],
    [
      'WEBHOOK_KEYS',
      { ...RAW, WEBHOOK_KEYS: '' },
      'keys of 20 characters or more, separated by commas',
    ],
  ])('says what is expected: of %s in %j', (variable, env, expected) => {
    expect(parseConfig(env).problems).toEqual([{ variable, expected }])
  })

  it('names all faults of keys that cannot be used', () => {
    const tenShort = Array.from({ length: 10 }, () => 'short').join()
    expect(parseConfig({ ...RAW, WEBHOOK_KEYS: `${tenShort}, "${KEY}"` }).webhookKeysFault).toBe(
      'WEBHOOK_KEYS holds no key that can be used. Expected: 20 characters or more each, without the name (keys 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 are too short); keys without quotes or brackets, separated by commas (key 11 has quotes or brackets).',
    )
  })

  it('is none of a tenant that another name begins or ends with', () => {
    const tenantOf = (AEP_TENANT: string, AEP_SCHEMA_ID: string) =>
      parseConfig({ ...XDM, AEP_TENANT, AEP_SCHEMA_ID })
    expect(tenantOf('__ac_me', 'x')).toMatchObject({ destination: { tenant: 'ac_me' } })
    expect(tenantOf('acme', 'at https://ns.adobe.com/other/schemas/1').problems).toEqual([])
  })

  it('names every invalid variable once', () => {
    const env = {
      AEP_FORMAT: 'xdm',
      AEP_ENDPOINT: 'x',
      DELIVERY_CONCURRENCY: 'many',
      RETENTION_DAYS: 'long',
      ADMIN_TOKEN: 'short',
      WEBHOOK_KEYS: 'short',
    }
    expect(faulty(env).sort()).toEqual([
      'ADMIN_TOKEN',
      'AEP_DATASET_ID',
      'AEP_ENDPOINT',
      'AEP_ORG_ID',
      'AEP_SCHEMA_ID',
      'AEP_TENANT',
      'DELIVERY_CONCURRENCY',
      'RETENTION_DAYS',
      'WEBHOOK_KEYS',
    ])
  })

  it('never repeats the value', () => {
    const canary = 'canary-7f3a'
    const values = [canary, `http://${canary}/`, `https://${canary}:${canary}@x/`, `{${canary}}`]
    for (const value of values) {
      const env: Variables = {
        WEBHOOK_KEYS: canary,
        ADMIN_TOKEN: canary,
        AEP_ENDPOINT: value,
        AEP_FLOW_ID: canary,
        AEP_FORMAT: value,
        AEP_CLIENT_SECRET: canary,
        AEP_IMS_URL: value,
        FORWARD_TIMEOUT_MS: canary,
        DRAIN_TIMEOUT_MS: canary,
        DELIVERY_CONCURRENCY: canary,
        MAX_EVENT_BYTES: canary,
        RETRY_BASE_MS: canary,
        RETRY_CAP_MS: canary,
        RETENTION_DAYS: canary,
      }
      const { problems } = parseConfig(env)
      expect(problems.length).toBeGreaterThanOrEqual(13)
      expect(JSON.stringify(problems)).not.toContain(canary)
    }
    const differing = { ...RAW, AEP_ENDPOINT: `${ENDPOINT}?x-adobe-flow-id=${canary}` }
    expect(parseConfig(differing).problems).toHaveLength(1)
    expect(JSON.stringify(parseConfig(differing).problems)).not.toMatch(/canary|flow-1/)
  })
})

describe('the environment', () => {
  it('may hold bindings other than variables', () => {
    expect(parseConfig({ ...RAW, OUTBOX: { get: () => undefined }, OTHER: Symbol('x') })).toEqual(
      parseConfig(RAW),
    )
  })
})
