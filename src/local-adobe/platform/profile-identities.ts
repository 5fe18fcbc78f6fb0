/** Profile identities: those that Profile would find in an XDM entity: identityMap, and described fields. */
import { isObject, type JsonObject, type MarkedIdentity } from '../streaming/message.ts'
import { namespaces } from './identities.ts'
import type { Resource, Store } from './store.ts'

export function identitiesOf(
  store: Store,
  dataSet: Resource,
  record: JsonObject,
): readonly MarkedIdentity[] {
  const known = knownIn(store, dataSet)
  const isKnown = (name: string) =>
    known.some(({ code }) => code.toLowerCase() === name.toLowerCase())
  return [...inIdentityMap(record, isKnown), ...describedIdentities(store, dataSet, record)]
}

function knownIn(store: Store, { sandbox }: Resource) {
  return namespaces(store, { sandbox, orgId: '', clientId: '', origin: '' })
}

/** In the fields that identity descriptors of the dataset's schema describe. */
export function describedIdentities(
  store: Store,
  dataSet: Resource,
  record: JsonObject,
): readonly MarkedIdentity[] {
  const { sandbox, body } = dataSet
  const known = knownIn(store, dataSet)
  const schemaId = isObject(body.schemaRef) ? body.schemaRef.id : null
  return store
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
