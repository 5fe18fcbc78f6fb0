/** The description of the routes says what they really take and answer. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import description from '../../docs/openapi.json'
import webhooks from '../../docs/webhooks.schema.json'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { otherRoutes } from '../../src/worker/app.ts'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import { DOCUMENTED } from '../../src/worker/drift/detector.ts'
import conversationSample from '../fixtures/conversation.json'
import minimal from '../fixtures/conversation-minimal.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import sparse from '../fixtures/transcript-sparse.json'
import { type Answered, type Clock, conversation, eachTest, type Relay } from './support.ts'

type Schema = Record<string, unknown>
type Described = {
  responses: Record<string, { $ref?: string; content?: Record<string, { schema: Schema }> }>
}

const { paths, components } = description as unknown as {
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, Schema> }
}

const ajv = new Ajv2020({ strict: false, allErrors: true })
addFormats.default(ajv as never)
ajv.addSchema({ $id: 'openapi', components })
ajv.addSchema({ $id: 'webhooks', ...webhooks })

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ aep, relay, clock } = world)
})

/** What was done, and answered, as `post /admin/pause`. */
const done = new Set<string>()

/** What the description says of this answer does not fit it; empty where it does. */
function misfit(method: string, path: string, { status, response, body }: Answered): unknown {
  if (status < 300) done.add(`${method} ${path}`)
  const described = paths[path]?.[method]?.responses[String(status)]
  if (!described) return `${method} ${path}: ${status} is not described`
  if (described.$ref) {
    if (response.headers.get('content-type') !== 'application/problem+json') return 'no problem'
    return errorsOf({ $ref: 'openapi#/components/schemas/Problem' }, body)
  }
  const schema = described.content?.['application/json']?.schema
  if (!schema) return response.headers.has('content-type') ? 'has a body' : []
  return errorsOf({ $ref: `openapi${schema.$ref}` }, body)
}

function errorsOf(schema: Schema, value: unknown): unknown {
  const validate = ajv.compile(schema)
  return validate(value) ? [] : validate.errors
}

/** The operators' page is for people. */
const PAGE = /^\/admin(?:$|\/ui\/|\/assets\/|\/sign-)/

describe('docs/openapi.json', () => {
  it('describes every route that there is, and none that there is not', () => {
    const methods = new Set(['GET', 'POST', 'DELETE'])
    const routes = otherRoutes()
      .routes.filter(
        ({ method, path }) => methods.has(method) && path !== '/health' && !PAGE.test(path),
      )
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`)
    const described = Object.entries(paths)
      .filter(([path]) => path.startsWith('/admin'))
      .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method} ${path}`))
    expect(described.toSorted()).toEqual([...new Set(routes)].toSorted())
  })

  it('fits what the routes answer', async () => {
    const taken = await relay.post('feedback', conversation())
    expect(misfit('post', '/chatlio/feedback', taken)).toEqual([])
    const invalid = await relay.post('transcript', { messages: 'none', extra: 1 })
    expect(misfit('post', '/chatlio/transcript', invalid)).toEqual([])
    expect(misfit('post', '/chatlio', await relay.post('auto', conversation()))).toEqual([])
    aep.rule({ answer: { type: 'status', status: 403 } })
    const stored = await relay.post('feedback', conversation())
    expect(misfit('post', '/chatlio/feedback', stored)).toEqual([])
    clock.advance(300_000)
    await relay.scheduled()
    expect(misfit('get', '/health', await relay.health())).toEqual([])
    await relay.report()
    const plain = [
      'status',
      'causes',
      'activity',
      'suppressions',
      'summary',
      'completeness',
      'compared',
      'support',
      'log',
      'alerts',
      'drift',
      'openapi.json',
    ]
    for (const path of plain) {
      expect(misfit('get', `/admin/${path}`, await relay.get(`/${path}`)), path).toEqual([])
    }
    for (const state of ['pending', 'quarantined', 'all', 'wrong']) {
      const answered = await relay.get(`/events?state=${state}`)
      expect(misfit('get', '/admin/events', answered), state).toEqual([])
    }
    for (const id of [String(stored.body.id), String(invalid.body.id), 'none']) {
      expect(misfit('get', '/admin/events/{id}', await relay.get(`/events/${id}`)), id).toEqual([])
    }
    for (const [path, body] of [
      ['pause', undefined],
      ['resume', undefined],
      ['redrive', { state: 'quarantined' }],
      ['redrive', { state: 'pending' }],
      ['delete', { state: 'quarantined', path: null, dryRun: true }],
      ['delete', { state: 'dead' }],
      ['delete', {}],
      ['find', { id: String(taken.body.id) }],
      ['find', { id: String(stored.body.id) }],
      ['find', { id: 'a', email: 'b' }],
      ['erase', { email: 'ada@example.com' }],
      ['erase', { email: 'ada@example.com', dryRun: true, suppressDays: 0 }],
      ['erase', {}],
      ['alerts/test', undefined],
      ['drift/accept', { kind: 'transcript', path: 'messages', change: 'type' }],
      ['drift/accept', { kind: 'transcript', path: 'none', change: 'new' }],
      ['drift/accept', {}],
      ['suppressions', { id: '0', until: '2026-01-01' }],
      ['suppressions', {}],
      ['screen', { records: [{}] }],
      ['screen', {}],
    ] as const) {
      const answered = await relay.command(`/${path}`, body)
      expect(misfit('post', `/admin/${path}`, answered), path).toEqual([])
    }
    for (const id of [String(stored.body.id), String(invalid.body.id), 'none']) {
      const answered = await relay.get(`/events/${id}/preview`)
      expect(misfit('get', '/admin/events/{id}/preview', answered), id).toEqual([])
    }
    const body = await relay.get(`/events/${stored.body.id}/body`)
    expect(body.response.headers.get('content-type')).toBe('application/octet-stream')
    expect(body.status).toBe(200)
    const passphrase = 'correct horse battery staple'
    const exported = await relay.command('/suppressions/export', { passphrase })
    expect(misfit('post', '/admin/suppressions/export', exported)).toEqual([])
    const { rows } = (await relay.get('/suppressions')).body as { rows: { id: string }[] }
    for (const [path, body] of [
      ['', { id: rows[0]?.id, until: '2099-01-01' }],
      ['/import', { passphrase, sealed: exported.body.sealed }],
      ['/copy', { from: null, to: null }],
    ] as const) {
      const answered = await relay.command(`/suppressions${path}`, body)
      expect(misfit('post', `/admin/suppressions${path}`, answered), path).toEqual([])
    }
    for (const path of ['suppressions', 'log', 'activity?step=year', 'log?limit=0']) {
      const answered = await relay.get(`/${path}`)
      expect(misfit('get', `/admin/${path.split('?')[0]}`, answered), path).toEqual([])
    }
    for (const email of ['ada@example.com', 'nobody@example.com', '']) {
      const ended = await relay.remove('/suppressions', { email })
      expect(misfit('delete', '/admin/suppressions', ended), email).toEqual([])
    }
    const erased = await relay.erase(String(stored.body.id))
    expect(misfit('delete', '/admin/events/{id}', erased)).toEqual([])
    const all = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { responses }]) => {
        const { content } = responses[200] ?? {}
        const isDownload = content && !('application/json' in content)
        return path.startsWith('/admin') && !isDownload ? [`${method} ${path}`] : []
      }),
    )
    expect(all.filter((each) => !done.has(each))).toEqual([])
  })

  it('is served to operators, and to nobody else', async () => {
    expect((await relay.get('/openapi.json')).body).toEqual(description)
    expect((await relay.send('/admin/openapi.json')).status).toBe(401)
  })
})

const SAMPLES = {
  transcript: [transcript, sparse],
  'offline-message': [offline],
  'new-conversation': [conversationSample, minimal],
  unanswered: [conversationSample],
  feedback: [conversationSample],
} as const
type Kind = keyof typeof SAMPLES

/** A copy in which one place somewhere holds something else, or nothing. */
function changed(value: unknown, at: number, by: unknown): unknown {
  const copy = structuredClone(value)
  const places: (() => void)[] = []
  const visit = (holder: Record<string, unknown>) => {
    for (const key of Object.keys(holder)) {
      places.push(() => {
        if (by === undefined) delete holder[key]
        else holder[key] = by
      })
      const held = holder[key]
      if (typeof held === 'object' && held !== null) visit(held as Record<string, unknown>)
    }
  }
  visit(copy as Record<string, unknown>)
  places[at % places.length]?.()
  return copy
}

describe('docs/webhooks.schema.json', () => {
  it('takes what the relay takes and refuses what it refuses, for every webhook', () => {
    const by = fc.constantFrom(undefined, null, '', 'text', 7, true, [], ['a'], {}, { a: 1 })
    const kinds = Object.keys(SAMPLES) as Kind[]
    const seen = { valid: 0, invalid: 0 }
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.nat(), by, fc.nat(), (kind, at, value, which) => {
        const sample = SAMPLES[kind][which % SAMPLES[kind].length]
        const payload = changed(sample, at, value)
        const arrival = { id: 'a', kind, receivedAt: 0 }
        const { outcome } = readEvent(arrival, { ok: true, value: payload })
        const valid = ajv.validate({ $ref: `webhooks#/$defs/${kind}` }, payload)
        expect({ payload, valid }).toEqual({ payload, valid: outcome === 'valid' })
        seen[valid ? 'valid' : 'invalid'] += 1
      }),
      { numRuns: 1_000 },
    )
    expect(seen.valid).toBeGreaterThan(50)
    expect(seen.invalid).toBeGreaterThan(50)
  })

  it('names the fields that drift is measured by', () => {
    const fieldsOf = (schema: Schema, prefix: string): string[] => {
      const branches = (schema.anyOf as Schema[] | undefined) ?? [schema]
      return branches.flatMap((branch) => {
        const items = branch.items as Schema | undefined
        const own = Object.entries((branch.properties ?? {}) as Record<string, Schema>)
        return [
          ...own.flatMap(([name, each]) => [prefix + name, ...fieldsOf(each, `${prefix}${name}.`)]),
          ...(items ? [`${prefix}*`, ...fieldsOf(items, `${prefix}*.`)] : []),
        ]
      })
    }
    for (const kind of ['transcript', 'offline-message', 'conversation'] as const) {
      const fields = fieldsOf(webhooks.$defs[kind] as Schema, '')
      expect(Object.keys(DOCUMENTED[kind]).toSorted()).toEqual(fields.toSorted())
    }
  })
})
