/**
 * Identities: namespaces of the Identity Service. Standard ones exist from the start; a custom one can
 * be created and changed, and never deleted.
 */
import { Hono } from 'hono'
import { objectBody, text } from './body.ts'
import { namespaceError } from './errors.ts'
import type { Caller, PlatformEnv } from './gateway.ts'
import type { Resource, Store } from './store.ts'

/** Any case is taken; this is how Adobe's lists show them. */
const ID_TYPES: Readonly<Record<string, string>> = {
  cookie: 'COOKIE',
  cross_device: 'CROSS_DEVICE',
  device: 'Device',
  email: 'Email',
  mobile: 'MOBILE',
  non_people: 'Non_people',
  phone: 'Phone',
}

const STANDARD = [
  { id: 0, code: 'CORE', name: 'Adobe Audience Manager', idType: 'COOKIE' },
  { id: 4, code: 'ECID', name: 'ECID', idType: 'COOKIE' },
  { id: 6, code: 'Email', name: 'Email', idType: 'Email' },
  { id: 7, code: 'Phone', name: 'Phone', idType: 'Phone' },
  { id: 11, code: 'Email_LC_SHA256', name: 'Emails (SHA256, lowercased)', idType: 'Email' },
  { id: 20914, code: 'IDFA', name: 'Apple IDFA', idType: 'Device' },
  { id: 20915, code: 'GAID', name: 'Google Ad ID', idType: 'Device' },
] as const
const FIRST_CUSTOM_ID = 10_106_000

export function identityRoutes(store: Store): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.get('/', (c) => c.json(namespaces(store, c.get('caller'))))

  app.get('/:id', (c) => {
    const { id } = c.req.param()
    const found = namespaces(store, c.get('caller')).find((one) => String(one.id) === id)
    if (!found) throw notFound(id)
    return c.json(found)
  })

  app.post('/', async (c) => {
    const caller = c.get('caller')
    const input = checked(await objectBody(c, invalid))
    const same = (one: { code: string }) => one.code.toLowerCase() === input.code.toLowerCase()
    if (namespaces(store, caller).some(same)) {
      const message = 'Namespace code already exists. Please use a different code'
      throw namespaceError(409, 'NAMESPACE_CODE_CONFLICT', 'INTEGRATION_CODE_EXISTS', message)
    }
    const id = String(FIRST_CUSTOM_ID + store.all('namespaces').length)
    const added = store.add('namespaces', { id, sandbox: caller.sandbox, body: input })
    return c.json(customView(added, caller))
  })

  app.put('/:id', async (c) => {
    const caller = c.get('caller')
    const { id } = c.req.param()
    const resource = store.find('namespaces', caller.sandbox, id)
    if (!resource) throw notFound(id)
    const input = checked(await objectBody(c, invalid))
    if (input.code !== resource.body.code) throw invalid('The code of a namespace cannot change.')
    store.change(resource, input)
    return c.json(customView(resource, caller))
  })

  app.delete('/:id', () => {
    throw namespaceError(405, 'METHOD_NOT_ALLOWED', 'NOT_SUPPORTED', 'Namespaces cannot be deleted')
  })
  return app
}

/** Standard ones first, then those created here, oldest first. */
export function namespaces(store: Store, caller: Caller) {
  const standard = STANDARD.map((one) => ({
    ...one,
    status: 'ACTIVE',
    updateTime: 0,
    createTime: 0,
    description: `Adobe provided namespace: ${one.name}`,
    namespaceType: 'Standard',
    custom: false,
  }))
  const custom = store.list('namespaces', caller.sandbox).map((one) => customView(one, caller))
  return [...standard, ...custom]
}

function customView({ id, createdAt, updatedAt, body }: Resource, { orgId }: Caller) {
  return {
    updateTime: updatedAt,
    code: String(body.code),
    status: 'ACTIVE',
    description: typeof body.description === 'string' ? body.description : '',
    id: Number(id),
    createTime: createdAt,
    idType: String(body.idType),
    namespaceType: 'Custom',
    name: String(body.name),
    custom: true,
    imsOrgId: orgId,
  }
}

const invalid = (message: string) =>
  namespaceError(400, 'Namespace validation', 'INVALID_REQUEST_PARAMS', message)

const notFound = (id: string) =>
  namespaceError(404, 'NAMESPACE_NOT_FOUND', 'NAMESPACE_NOT_FOUND', `No namespace with id ${id}`)

function checked(body: Readonly<Record<string, unknown>>) {
  const name = text(body.name)
  const code = text(body.code)
  if (!name) throw invalid('Please provide a valid value of name.')
  // The underscore is in no page of Adobe's, and in every code of its own B2B set-up utility.
  if (!code || !/^\w+$/.test(code)) {
    throw invalid(
      'Please provide a valid value of code. It may contain only letters, numbers and underscores.',
    )
  }
  const given = String(body.idType ?? '')
  // Business-to-business types are sent by Adobe's own clients and listed nowhere.
  const idType = ID_TYPES[given.toLowerCase()] ?? (given.startsWith('B2B_') ? given : null)
  if (!idType) {
    throw invalid(
      'Please provide a valid value of idType. Valid values are: [COOKIE, CROSS_DEVICE, DEVICE, EMAIL, MOBILE, NON_PEOPLE, PHONE]',
    )
  }
  return { name, code, idType, description: text(body.description) ?? '' }
}
