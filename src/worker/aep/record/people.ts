/**
 * Whose record it is, in either format, as AEP gives it back: the visitor's id and addresses. Pure.
 * Never an agent's address, nor anybody's who is only mentioned.
 */
import type { PersonKey } from '../../chatlio/person.ts'
import { isObject } from '../../lib/json.ts'

/** `record`: raw, or the entity of an xdm message, or such a message. Empty where it names nobody. */
export function peopleIn(record: unknown): PersonKey[] {
  const people: PersonKey[] = []
  const add = (field: PersonKey['field'], value: unknown) => {
    if (typeof value === 'string' && value.trim() !== '') people.push({ field, value })
  }
  const look = (value: unknown) => {
    if (!isObject(value)) return
    const { visitor, visitorEmail, email, identity, identityMap } = value
    if (isObject(visitor)) {
      add('visitor', visitor.UUID ?? visitor.uuid)
      add('email', visitor.email)
    }
    add('email', visitorEmail)
    add('email', email)
    for (const map of [identity, identityMap].filter(isObject)) {
      for (const [namespace, ids] of Object.entries(map)) {
        const field = namespace.toLowerCase() === 'email' ? 'email' : 'visitor'
        for (const each of Array.isArray(ids) ? ids : [ids]) {
          add(field, isObject(each) ? each.id : each)
        }
      }
    }
  }
  const message = isObject(record) && isObject(record.body) ? record.body : record
  const entity = isObject(message) && isObject(message.xdmEntity) ? message.xdmEntity : message
  look(entity)
  // Below the tenant, whatever its name is.
  if (isObject(entity)) {
    for (const held of Object.values(entity)) if (isObject(held)) look(held.chatlio)
  }
  return people
}
