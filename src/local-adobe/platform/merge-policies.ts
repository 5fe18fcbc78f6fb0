/**
 * Merge policies of Profile, as far as set-up tools look for them: the default one of each class that a schema enabled
 * for Profile has. Made from the schemas, never stored; they cannot be changed here.
 */
import { Hono } from 'hono'
import type { PlatformEnv } from './gateway.ts'
import { altIdOf } from './registry/resources.ts'
import { unionViews } from './registry/unions.ts'
import type { Store } from './store.ts'

export function mergePolicyRoutes(store: Store): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  app.get('/', (c) => {
    const { sandbox, orgId } = c.get('caller')
    const { 'schema.name': name, default: isDefault = 'true' } = c.req.query()
    const classes = unionViews(store, sandbox).map((union) => altIdOf(String(union['meta:class'])))
    const wanted = classes.filter((one) => name === undefined || one === name)
    const children = (isDefault === 'false' ? [] : wanted).map((one) => ({
      id: `local-merge-policy${one}`,
      name: 'Default Timebased',
      imsOrgId: orgId,
      sandbox: { sandboxName: sandbox },
      schema: { name: one },
      version: 1,
      identityGraph: { type: 'none' },
      attributeMerge: { type: 'timestampOrdered' },
      isActiveOnEdge: false,
      default: true,
      updateEpoch: 0,
    }))
    const { length } = children
    return c.json({ _page: { totalCount: length, pageSize: length }, children, _links: {} })
  })
  return app
}
