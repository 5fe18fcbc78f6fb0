/** Descriptors: metadata of a schema, such as which field is an identity. They have no version. */
import { Hono } from 'hono'
import type { JsonObject } from '../../streaming/message.ts'
import { objectBody, text } from '../body.ts'
import { xdmError } from '../errors.ts'
import { holds, parseCondition } from '../filter.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import { namespaces } from '../identities.ts'
import type { Resource, Store } from '../store.ts'
import { descriptorForm } from './accept.ts'
import { invalid } from './checks.ts'
import { pageOf } from './paging.ts'
import { fieldAt, resolve } from './resolve.ts'
import { findTenant } from './resources.ts'

const IDENTITY = 'xdm:descriptorIdentity'

export function descriptorRoutes(store: Store): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.get('/', (c) => {
    const caller = c.get('caller')
    const form = descriptorForm(c.req.header('accept'))
    const query = new URL(c.req.url).searchParams
    const views = store.list('descriptors', caller.sandbox).map((one) => view(one, caller))
    if (form === 'paged') return c.json({ ...pageOf(views, query), _links: {} })
    const conditions = query.getAll('property').map(parseCondition)
    const matching = views.filter((one) => conditions.every((own) => holds(own, one)))
    const types = Map.groupBy(matching, (one) => String(one['@type']))
    const shown = (one: JsonObject) => {
      if (form === 'full') return one
      return form === 'id' ? one['@id'] : `/tenant/descriptors/${one['@id']}`
    }
    return c.json(Object.fromEntries([...types].map(([type, ones]) => [type, ones.map(shown)])))
  })

  app.get('/:id', (c) => c.json(view(found(c.req.param('id'), c.get('caller')), c.get('caller'))))

  app.post('/', async (c) => {
    const caller = c.get('caller')
    const body = await objectBody(c, invalid)
    check(body, null, caller)
    const added = store.add('descriptors', { id: store.hex(), sandbox: caller.sandbox, body })
    return c.json(view(added, caller), 201)
  })

  app.put('/:id', async (c) => {
    const caller = c.get('caller')
    const resource = found(c.req.param('id'), caller)
    const body = await objectBody(c, invalid)
    check(body, resource.id, caller)
    store.change(resource, body)
    return c.json({ '@id': resource.id }, 201)
  })

  app.delete('/:id', (c) => {
    store.remove('descriptors', found(c.req.param('id'), c.get('caller')))
    return c.body(null, 204)
  })

  function found(id: string, { sandbox }: Caller): Resource {
    const resource = store.find('descriptors', sandbox, id)
    if (resource) return resource
    throw xdmError('1017-404', 'Resource not found', `Descriptor ${id} could not be found.`)
  }

  function check(body: JsonObject, id: string | null, caller: Caller): void {
    const { sandbox } = caller
    const type = text(body['@type'])
    if (!type?.startsWith('xdm:'))
      throw invalid(`A descriptor requires an @type such as ${IDENTITY}`)
    const schemaId = text(body['xdm:sourceSchema'])
    if (!schemaId) throw invalid('A descriptor requires xdm:sourceSchema.')
    const schema = findTenant(store, sandbox, 'schemas', schemaId)
    if (!schema) {
      throw xdmError('1013-404', 'Resource not found', `Schema ${schemaId} could not be found.`)
    }
    const path = text(body['xdm:sourceProperty'])
    if (!path?.startsWith('/') || path.endsWith('/') || path.includes('/properties/')) {
      throw invalid(
        'xdm:sourceProperty begins with "/", does not end with one, without "properties".',
      )
    }
    if (!fieldAt(resolve(store, sandbox, schema.body), path.slice(1).split('/'))) {
      throw invalid(`The field ${path} could not be found in the schema ${schemaId}.`)
    }
    if (type === IDENTITY) checkIdentity(body, id, schema, caller)
  }

  function checkIdentity(
    body: JsonObject,
    id: string | null,
    schema: Resource,
    caller: Caller,
  ): void {
    const namespace = text(body['xdm:namespace'])?.toLowerCase()
    const byId = body['xdm:property'] === 'xdm:id'
    const known = namespaces(store, caller).some((one) =>
      byId ? String(one.id) === namespace : one.code.toLowerCase() === namespace,
    )
    if (!known) throw invalid(`The namespace ${String(body['xdm:namespace'])} does not exist.`)
    const others = store
      .list('descriptors', caller.sandbox)
      .filter((one) => one.id !== id && one.body['@type'] === IDENTITY)
      .filter((one) => one.body['xdm:sourceSchema'] === schema.id)
    if (others.some((one) => one.body['xdm:sourceProperty'] === body['xdm:sourceProperty'])) {
      throw invalid('The field is already described by an identity descriptor.')
    }
    const primary = others.some((one) => one.body['xdm:isPrimary'] === true)
    if (primary && body['xdm:isPrimary'] === true) {
      throw invalid('A schema may contain only one primary identity.')
    }
  }
  return app
}

function view({ id, createdAt, updatedAt, body }: Resource, { orgId }: Caller): JsonObject {
  return {
    ...body,
    createdUser: 'local-user',
    imsOrg: orgId,
    createdClient: 'local-client',
    updatedUser: 'local-user',
    created: createdAt,
    updated: updatedAt,
    'meta:containerId': 'tenant',
    '@id': id,
  }
}
