import { describe, expect, it } from 'vitest'
import { parseConfig, type Variables } from '../../src/worker/config/config.ts'

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

const faulty = (env: Variables) => parseConfig(env).problems.map(({ variable }) => variable)

describe('the defaults', () => {
  it('are those of the contract', () => {
    expect(parseConfig(RAW)).toEqual({
      webhookKeys: [KEY],
      webhookKeysFault: null,
      adminToken: null,
      accessAud: null,
      destination: { format: 'raw', url: ENDPOINT, flowId: 'flow-1', credentials: null },
      problems: [],
      forwardTimeoutMs: 3_000,
      drainTimeoutMs: 15_000,
      outboxShards: 1,
      maxEventBytes: 1_000_000,
      retryBaseMs: 1_000,
      retryCapMs: 60_000,
      retentionMs: 30 * 86_400_000,
      receiptMs: 7 * 86_400_000,
      alerts: { ageMs: 900_000, webhook: null, heartbeatUrl: null, publicUrl: null },
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
      extras: [],
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
      'OUTBOX_SHARDS',
      'MAX_EVENT_BYTES',
      'RETRY_BASE_MS',
      'RETRY_CAP_MS',
      'RECEIPT_DAYS',
      'RETENTION_DAYS',
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
    [KEY, [KEY]],
    [`${KEY},${OTHER_KEY}`, [KEY, OTHER_KEY]],
    [` ${KEY} ,\n${OTHER_KEY}, `, [KEY, OTHER_KEY]],
    ['x'.repeat(20), ['x'.repeat(20)]],
  ])('are several, separated by commas: %j', (value, keys) => {
    expect(parseConfig({ ...RAW, WEBHOOK_KEYS: value })).toMatchObject({
      webhookKeys: keys,
      problems: [],
    })
  })

  it.each([
    ['none', '', 'none'],
    ['nothing', undefined, 'none'],
    ['only commas', ' , ,', 'none'],
    ['one that is too short', 'x'.repeat(19), 'too-short'],
    ['one that is too short among good ones', `${KEY},short,${OTHER_KEY}`, 'too-short'],
    ['one that blanks make long enough', `${'x'.repeat(19)} `, 'too-short'],
    ['a number', 7, 'too-short'],
    ['a placeholder of an example file', 'change-me-to-a-long-random-key', 'placeholder'],
    ['a placeholder of a guide', 'Your-Webhook-Key-Goes-Here', 'placeholder'],
    ['one that calls itself an example', 'an-example-key-of-some-length', 'placeholder'],
    ['one that calls itself a placeholder', 'PLACEHOLDER-of-some-length', 'placeholder'],
    ['a placeholder among good ones', `${KEY},${'x'.repeat(20)}-change-me`, 'placeholder'],
    ['a short placeholder', 'change-me', 'placeholder'],
  ] as const)('count as not set if there is %s', (_, value, fault) => {
    const config = parseConfig({ ...RAW, WEBHOOK_KEYS: value })
    expect(config.webhookKeys).toEqual([])
    expect(config.webhookKeysFault).toBe(fault)
    expect(config.problems.map(({ variable }) => variable)).toEqual(['WEBHOOK_KEYS'])
    // Relaying goes on: stored events are still sent.
    expect(config.destination).not.toBeNull()
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
    ['OUTBOX_SHARDS', '4', { outboxShards: 4 }],
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
    ['OUTBOX_SHARDS', 'outboxShards'],
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
      expect(config.webhookKeys).toEqual([KEY])
    }
  })

  it.each([
    'DRAIN_TIMEOUT_MS',
    'OUTBOX_SHARDS',
    'MAX_EVENT_BYTES',
    'RETRY_BASE_MS',
    'RETENTION_DAYS',
  ])('may not be zero if zero has no meaning: %s', (variable) => {
    expect(faulty({ ...RAW, [variable]: '0' })).toEqual([variable])
  })

  it('is an integer, except for days', () => {
    for (const variable of ['FORWARD_TIMEOUT_MS', 'OUTBOX_SHARDS', 'RETRY_CAP_MS']) {
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
    expect(config.webhookKeys).toEqual([KEY])
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
    ['chat', ['chat']],
    [' Contact , CHAT ', ['contact', 'chat']],
  ])('reads AEP_SCHEMA_EXTRAS: %j', (value, extras) => {
    expect(parseConfig({ ...XDM, AEP_SCHEMA_EXTRAS: value }).destination).toMatchObject({ extras })
  })

  it.each(['chats', 'chat;contact', 'chat,', 'all'])(
    'finds AEP_SCHEMA_EXTRAS faulty: %j',
    (value) => {
      expect(faulty({ ...XDM, AEP_SCHEMA_EXTRAS: value })).toEqual(['AEP_SCHEMA_EXTRAS'])
    },
  )

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
      extras: [],
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
    const own = { AEP_SCOPES: 'openid,own', AEP_IMS_URL: 'http://localhost:8788/' }
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

describe('a problem', () => {
  it('names every invalid variable once', () => {
    const env = {
      AEP_FORMAT: 'xdm',
      AEP_ENDPOINT: 'x',
      OUTBOX_SHARDS: 'many',
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
      'OUTBOX_SHARDS',
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
        OUTBOX_SHARDS: canary,
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
