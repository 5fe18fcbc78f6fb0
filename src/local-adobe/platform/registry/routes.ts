/** Registry: the routes of the Schema Registry. Field groups answer under their old name, mixins, too. */
import { Hono } from 'hono'
import type { Settings } from '../../settings.ts'
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { jsonBody, objectBody } from '../body.ts'
import { xdmError } from '../errors.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import { applyPatch } from '../json-patch.ts'
import type { Resource, Store } from '../store.ts'
import { type Form, listForm, lookupForm } from './accept.ts'
import { checkResource, invalid } from './checks.ts'
import { descriptorRoutes } from './descriptors.ts'
import { pageOf } from './paging.ts'
import { resolve } from './resolve.ts'
import {
  altIdOf,
  BEHAVIORS,
  findGlobal,
  findTenant,
  globalResources,
  globalView,
  RESOURCE_TYPES,
  type RegistryKind,
  summary,
  tenantView,
} from './resources.ts'
import { statsOf } from './stats.ts'
import { requireUnionKept, unionViews } from './unions.ts'
import { requireUnused } from './usage.ts'

const KINDS: Readonly<Record<string, RegistryKind>> = {
  classes: 'classes',
  fieldgroups: 'fieldgroups',
  mixins: 'fieldgroups',
  datatypes: 'datatypes',
  schemas: 'schemas',
}

export function registryRoutes(store: Store, settings: () => Settings): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  const context = ({ orgId }: Caller) => ({ store, orgId, tenant: settings().tenant })
  const place = ({ sandbox }: Caller) => ({ store, sandbox, tenant: settings().tenant })
  const own = (kind: RegistryKind, caller: Caller) =>
    store.list(kind, caller.sandbox).map((one) => tenantView(kind, one, context(caller)))

  app.get('/stats', (c) => c.json(statsOf(store, c.get('caller'), settings().tenant)))
  app.route('/tenant/descriptors', descriptorRoutes(store))

  app.get('/tenant/unions', (c) => {
    const form = listForm(c.req.header('accept'))
    return c.json(listed(unionViews(store, c.get('caller').sandbox), form, c.req.url))
  })

  app.get('/tenant/unions/:id', (c) => {
    const form = lookupForm(c.req.header('accept'))
    const { id } = c.req.param()
    const { sandbox } = c.get('caller')
    const found = unionViews(store, sandbox).find(
      (one) => one.$id === id || one['meta:altId'] === id,
    )
    if (!found) throw notFound(id)
    return c.json(shown(found, form, sandbox))
  })

  app.get('/global/behaviors', (c) => {
    const form = listForm(c.req.header('accept'))
    const rows = BEHAVIORS.map((one) => ({ ...one, 'meta:altId': altIdOf(one.$id), version: '1' }))
    return c.json(listed(rows, form, c.req.url))
  })

  app.get('/:container{tenant|global}/:kind{[a-z]+}', (c) => {
    const kind = kindOf(c.req.param('kind'))
    const form = listForm(c.req.header('accept'))
    const rows =
      c.req.param('container') === 'tenant'
        ? own(kind, c.get('caller'))
        : globalResources(kind).map((one) => globalView(kind, one))
    return c.json(listed(rows, form, c.req.url))
  })

  app.get('/:container{tenant|global}/:kind{[a-z]+}/:id', (c) => {
    const { id, container } = c.req.param()
    const kind = kindOf(c.req.param('kind'))
    const form = lookupForm(c.req.header('accept'))
    const caller = c.get('caller')
    if (container === 'global') {
      const known = findGlobal(id, [kind])
      if (!known) throw notFound(id)
      return c.json(shown(globalView(kind, known), form, caller.sandbox))
    }
    const view = tenantView(kind, found(kind, id, caller), context(caller))
    return c.json(shown(view, form, caller.sandbox))
  })

  app.post('/tenant/:kind{[a-z]+}', async (c) => {
    const caller = c.get('caller')
    const kind = kindOf(c.req.param('kind'))
    const body = await objectBody(c, invalid)
    checkResource(kind, null, body, place(caller))
    const id = `https://ns.adobe.com/${settings().tenant}/${RESOURCE_TYPES[kind]}/${store.hex()}`
    const hidden = { version: '1.0' }
    const added = store.add(kind, { id, sandbox: caller.sandbox, body, hidden })
    return c.json(tenantView(kind, added, context(caller)), 201)
  })

  app.put('/tenant/:kind{[a-z]+}/:id', async (c) => {
    const caller = c.get('caller')
    const kind = kindOf(c.req.param('kind'))
    const resource = found(kind, c.req.param('id'), caller)
    return c.json(change(kind, resource, await objectBody(c, invalid), caller))
  })

  app.patch('/tenant/:kind{[a-z]+}/:id', async (c) => {
    const caller = c.get('caller')
    const kind = kindOf(c.req.param('kind'))
    const resource = found(kind, c.req.param('id'), caller)
    const operations = await jsonBody(c, invalid)
    if (!Array.isArray(operations))
      throw invalid('A PATCH takes an array of JSON Patch operations.')
    const patched = applyPatch(resource.body, operations)
    if (!patched.ok)
      throw invalid(`The patch cannot be applied: ${JSON.stringify(patched.failure)}`)
    return c.json(change(kind, resource, patched.value, caller))
  })

  app.delete('/tenant/:kind{[a-z]+}/:id', (c) => {
    const caller = c.get('caller')
    const kind = kindOf(c.req.param('kind'))
    const resource = found(kind, c.req.param('id'), caller)
    requireUnused(store, kind, resource)
    store.remove(kind, resource)
    return c.body(null, 204)
  })

  function change(kind: RegistryKind, resource: Resource, body: JsonObject, caller: Caller) {
    checkResource(kind, resource.id, body, place(caller))
    if (kind === 'schemas') requireUnionKept(resource.body, body)
    const [major, minor] = String(resource.hidden.version).split('.')
    store.change(resource, body, { version: `${major}.${Number(minor) + 1}` })
    return tenantView(kind, resource, context(caller))
  }

  function found(kind: RegistryKind, id: string, { sandbox }: Caller): Resource {
    const resource = findTenant(store, sandbox, kind, id)
    if (!resource) throw notFound(id)
    return resource
  }

  function shown(view: JsonObject, form: Form, sandbox: string): JsonObject {
    if (form.summary) return summary(view)
    const { allOf, definitions, ...rest } = view
    const full = form.full ? { ...rest, ...resolve(store, sandbox, view) } : view
    const described = store
      .list('descriptors', sandbox)
      .filter((one) => one.body['xdm:sourceSchema'] === view.$id)
      .map((one) => ({ '@id': one.id, ...one.body }))
    const extra = form.descriptors ? { 'meta:descriptors': described } : {}
    return (form.notext ? withoutText({ ...full, ...extra }) : { ...full, ...extra }) as JsonObject
  }
  return app
}

function listed(rows: readonly JsonObject[], form: Form, url: string) {
  const { results, _page } = pageOf(rows, new URL(url).searchParams)
  const shown = form.summary ? results.map(summary) : results
  const next = _page.next === null ? null : { href: nextPage(url, _page.next) }
  return { results: shown, _page, _links: { next } }
}

function nextPage(url: string, start: string): string {
  const next = new URL(url)
  next.searchParams.set('start', start)
  return next.href
}

function kindOf(name: string): RegistryKind {
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (!kind) throw notFound(name)
  return kind
}

const notFound = (id: string) =>
  xdmError('1010-404', 'Resource not found', `The requested resource ${id} is not found.`)

function withoutText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutText)
  if (!isObject(value)) return value
  const text = (key: string, own: unknown) =>
    (key === 'title' || key === 'description') && typeof own === 'string'
  const kept = Object.entries(value).filter(([key, own]) => !text(key, own))
  return Object.fromEntries(kept.map(([key, own]) => [key, withoutText(own)]))
}
