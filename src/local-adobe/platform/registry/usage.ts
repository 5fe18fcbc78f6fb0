/** Usage: refuses to delete a resource that another resource, a dataset or Profile still uses. */

import { isObject } from '../../streaming/message.ts'
import { xdmError } from '../errors.ts'
import type { Resource, Store } from '../store.ts'
import { type RegistryKind, references } from './resources.ts'
import { isUnion } from './unions.ts'

export function requireUnused(store: Store, kind: RegistryKind, resource: Resource): void {
  const { id, sandbox, body } = resource
  const refuse = (by: string) =>
    xdmError('1400-400', 'Resource in use', `The resource ${id} is used by ${by}.`)
  if (kind === 'schemas') {
    if (isUnion(body)) throw refuse('Real-Time Customer Profile')
    const dataset = store
      .list('dataSets', sandbox)
      .find((one) => isObject(one.body.schemaRef) && one.body.schemaRef.id === id)
    if (dataset) throw refuse(`the dataset ${dataset.id}`)
    return
  }
  for (const other of ['schemas', 'fieldgroups', 'classes', 'datatypes'] as const) {
    const user = store.list(other, sandbox).find((one) => references(one.body).includes(id))
    if (user) throw refuse(user.id)
  }
}
