/** docs/reference.md and docs/recipes.md say what the code says: settings and their defaults, log lines, fields. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { metricsOf } from '../../src/worker/aep/record/metrics.ts'
import { fieldGroup } from '../../src/worker/aep/schema/field-group.ts'
import { FIELDS } from '../../src/worker/chatlio/fields.ts'
import { KINDS } from '../../src/worker/chatlio/kind.ts'
import { TEST_EVENT_TYPE } from '../../src/worker/chatlio/person.ts'
import { parseConfig } from '../../src/worker/config/config.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8')
const REFERENCE = read('docs/reference.md')

function section(text: string, heading: string): string {
  const from = text.indexOf(`\n${heading}\n`)
  const level = heading.slice(0, heading.indexOf(' '))
  const end = text.slice(from + 1).search(new RegExp(`\n#{2,${level.length}} `))
  expect(from).toBeGreaterThan(0)
  return end < 0 ? text.slice(from) : text.slice(from, from + 1 + end)
}

/** The cells of the rows of its tables. */
const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '))

const code = (text = '') => [...text.matchAll(/`([^`]+)`/g)].map(([, inside = '']) => inside)

describe('the table of settings', () => {
  const RAW = {
    AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/INLET',
    AEP_FLOW_ID: 'flow',
    AEP_ORG_ID: 'ORG@AdobeOrg',
    AEP_DATASET_ID: 'dataset',
    AEP_CLIENT_ID: 'client',
    AEP_CLIENT_SECRET: 'client-secret',
    AEP_READ_CLIENT_ID: 'reader',
    AEP_READ_CLIENT_SECRET: 'reader-secret',
    WEBHOOK_KEYS: 'a-key-of-twenty-characters',
  }
  const XDM = {
    ...RAW,
    AEP_FORMAT: 'xdm',
    AEP_SCHEMA_ID: 'https://ns.adobe.com/acme/schemas/1',
    AEP_TENANT: 'acme',
  }
  const settings = rowsOf(section(REFERENCE, '## Settings')).map(([name, given = '']) => ({
    name: String(code(name)[0]),
    given,
  }))
  const names = settings.map(({ name }) => name)

  it('has each variable of the Worker once, and no other', () => {
    const known = [...read('src/worker/env.vars').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name)
    expect(known.length).toBeGreaterThan(30)
    expect(names.toSorted()).toEqual(known.toSorted())
  })

  it('marks the secrets', () => {
    const secret = /(_KEYS|_TOKEN|_SECRET|^ALERT_\w+_URL)$/
    const marked = rowsOf(section(REFERENCE, '## Settings')).filter(([name]) =>
      name?.includes('(secret)'),
    )
    expect(marked.map(([name]) => String(code(name)[0]))).toEqual(
      names.filter((name) => secret.test(name)),
    )
  })

  it.each(settings)('$name: set to its default, it changes nothing', ({ name, given }) => {
    const both = /^`(\S+)` in xdm, `(\S+)` in raw$/.exec(given)
    const [inXdm, inRaw] = both ? both.slice(1) : [code(given)[0], code(given)[0]]
    if (inXdm === undefined) {
      expect(given).toMatch(/^(required( for (raw|xdm))?|unset)$/)
      return
    }
    const base = name === 'AEP_FORMAT' ? RAW : XDM
    expect(parseConfig({ ...base, [name]: inXdm })).toEqual(parseConfig(base))
    expect(parseConfig({ ...RAW, [name]: inRaw })).toEqual(parseConfig(RAW))
  })

  it('names what is required: without it nothing is relayed', () => {
    const missing = (base: object, word: RegExp) =>
      settings
        .filter(({ given }) => word.test(given))
        .filter(({ name }) => parseConfig({ ...base, [name]: '' }).problems.length === 0)
    expect(parseConfig(XDM).problems).toEqual([])
    expect(parseConfig(RAW).problems).toEqual([])
    expect(missing(XDM, /^required( for xdm)?$/)).toEqual([])
    expect(missing(RAW, /^required( for raw)?$/)).toEqual([])
  })

  it('has a default wherever the code has one', () => {
    const files = globSync('src/worker/config/*.ts', { cwd: ROOT }).map(read).join('\n')
    const given = [
      ...files.matchAll(
        /(?:read\('(\w+)',(?:(?!read\()[^?])*|(?:text\(|baseUrl\(variables, )'(\w+)')\)(?:\?\.\w+)?\)? \?\?\s+(?!null|\[\]|'')/g,
      ),
    ]
    // One that must be a number is read with its default.
    const numbers = [...files.matchAll(/\bwhole\('(\w+)',/g)]
    const named = [...given, ...numbers].map(([, name, other]) => name ?? other)
    expect(named.length).toBeGreaterThan(18)
    const unset = settings.filter((setting) => setting.given === 'unset').map(({ name }) => name)
    expect(unset.filter((name) => named.includes(name))).toEqual([])
  })
})

describe('the log lines', () => {
  const [, ...rows] = rowsOf(section(REFERENCE, '## Log lines'))
  const table = rows.flatMap(([names]) => code(names))
  const source = globSync('src/worker/**/*.{ts,tsx}', { cwd: ROOT }).map(read).join('\n')
  const logged = [...source.matchAll(/\bevent: (?:[^'\n]*\? )?'([a-z-]+)'(?: : '([a-z-]+)')?/g)]
    .flatMap(([, one, other]) => [one, other])
    .filter((event) => event !== undefined)
    // States of an alert, in its message.
    .filter((event) => !['firing', 'still', 'resolved'].includes(event))

  it('are all explained', () => {
    expect(logged).toContain('webhook')
    expect(logged.filter((event) => !table.includes(event))).toEqual([])
  })

  it('that are explained are all written', () => {
    expect(table.filter((event) => !logged.includes(event))).toEqual([])
  })
})

/** Every path of our field group, below `chatlio`, and of the samples, with `{TENANT}` in place of a tenant. */
function knownPaths(): Set<string> {
  const paths = new Set<string>()
  const add = (value: unknown, at: string) => {
    paths.add(at)
    if (Array.isArray(value)) for (const each of value) add(each, `${at}[]`)
    else if (Object(value) === value) {
      for (const [key, held] of Object.entries(value as object)) {
        add(
          held,
          at ? `${at}.${key.replace('_TENANT', '_{TENANT}')}` : key.replace('_TENANT', '_{TENANT}'),
        )
      }
    }
  }
  for (const file of globSync('docs/samples/xdm-*.json', { cwd: ROOT })) {
    add(JSON.parse(read(file)).body.xdmEntity, '')
  }
  for (const { to } of FIELDS) {
    if (!to?.startsWith('chatlio.')) continue
    const keys = `_{TENANT}.${to.replaceAll('[*]', '[]')}`.split('.')
    for (const end of keys.keys()) paths.add(keys.slice(0, end + 1).join('.'))
  }
  return paths
}

describe.each(['docs/recipes.md', 'docs/reference.md'])('%s', (page) => {
  // The events themselves are made by a test of their own.
  const text = read(page).replace(/<!-- events -->[\s\S]*<!-- \/events -->/, '')
  const words = code(text)
  const paths = words.filter((word) =>
    /^(_\{TENANT\}|web|environment|placeContext|customerFeedback|identityMap)(?=\.|$)/.test(word),
  )

  it('names only fields that exist', () => {
    const known = knownPaths()
    expect(paths.length).toBeGreaterThan(5)
    expect(paths.filter((word) => !known.has(word))).toEqual([])
  })

  it('names only types of events that exist', () => {
    const types = [...Object.values(KINDS).map(({ eventType }) => eventType), TEST_EVENT_TYPE]
    const named = words.filter((word) => /^chatlio\.[a-zA-Z]+$/.test(word))
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((word) => !types.includes(word))).toEqual([])
  })
})

describe('the numbers of a chat', () => {
  it('are in the table as they are in the field group', () => {
    const table = rowsOf(section(REFERENCE, '### Numbers of a chat')).map(([name]) => code(name)[0])
    const fields = FIELDS.filter(({ to }) => to?.startsWith('chatlio.metrics.'))
    expect(table).toEqual(fields.map(({ to }) => to?.split('.').at(-1)))
    expect(JSON.stringify(fieldGroup)).toContain(`"${table[0]}"`)
  })

  const at = (second: number) => new Date(Date.UTC(2026, 10, 24, 9, 0, second)).toISOString()
  const visitor = (second: number) => ({ text: 'v', sentAt: at(second), isVisitorMsg: true })
  const agent = (second: number, userId = 'U1') => ({
    text: 'a',
    sentAt: at(second),
    userId,
    isVisitorMsg: false,
  })
  const numbers = (...messages: object[]) =>
    metricsOf({
      kind: 'transcript',
      payload: { messages },
      receivedAt: at(50),
    } as unknown as Parameters<typeof metricsOf>[0])

  it('are as their rules say where data is poor', () => {
    expect(numbers({ text: 'x', sentAt: at(1) })).toBeNull()
    expect(numbers(visitor(1), { ...agent(5), sentAt: 'soon' })).toEqual({
      visitorMessages: 1,
      agentMessages: 1,
      answered: true,
      agentCount: 1,
      endedBy: 'agent',
    })
    expect(numbers(agent(1, ''), visitor(3))).toMatchObject({ agentCount: 0, answered: false })
    expect(numbers(visitor(1), agent(9), visitor(20))).toMatchObject({
      firstResponseSeconds: 8,
      longestWaitSeconds: 8,
      endedBy: 'visitor',
    })
  })
})
