/** Profile identities: those that Profile would find in an XDM entity: identityMap, and described fields. */
import { isObject, type JsonObject, type MarkedIdentity } from '../streaming/message.ts'
import { namespaces } from './identities.ts'
import type { Resource, Store } from './store.ts'

export function identitiesOf(
  store: Store,
  { sandbox, body }: Resource,
  record: JsonObject,
): readonly MarkedIdentity[] {
  const caller = { sandbox, orgId: '', clientId: '', origin: '' }
  const known = namespaces(store, caller)
  const schemaId = isObject(body.schemaRef) ? body.schemaRef.id : null
  const described = store
    .list('descriptors', sandbox)
    .filter((one) => one.body['@type'] === 'xdm:descriptorIdentity')
    .filter((one) => one.body['xdm:sourceSchema'] === schemaId)
    .flatMap((one): MarkedIdentity[] => {
      const id = valueAt(record, String(one.body['xdm:sourceProperty']))
      if (typeof id !== 'string' || id === '') return []
      const named = String(one.body['xdm:namespace']).toLowerCase()
      const match = known.find(
        ({ code, id: number }) => code.toLowerCase() === named || String(number) === named,
      )
      const primary = one.body['xdm:isPrimary'] === true
      return [{ namespace: match?.code ?? named, id, primary, known: match !== undefined }]
    })
  const isKnown = (name: string) =>
    known.some(({ code }) => code.toLowerCase() === name.toLowerCase())
  return [...inIdentityMap(record, isKnown), ...described]
}

function inIdentityMap(
  { identityMap }: JsonObject,
  isKnown: (namespace: string) => boolean,
): readonly MarkedIdentity[] {
  if (!isObject(identityMap)) return []
  return Object.entries(identityMap).flatMap(([namespace, items]) =>
    (Array.isArray(items) ? items : []).flatMap((item: unknown) =>
      isObject(item) && typeof item.id === 'string' && item.id !== ''
        ? [{ namespace, id: item.id, primary: item.primary === true, known: isKnown(namespace) }]
        : [],
    ),
  )
}

function valueAt(record: JsonObject, pointer: string): unknown {
  return pointer
    .slice(1)
    .split('/')
    .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), record)
}
