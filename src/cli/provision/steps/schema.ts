/**
 * Steps: the field group, the schema made of it, and the union tag that enables the schema for Profile.
 * A field group or schema that lacks something gets it added, after a question; nothing is ever taken out of it.
 */

import { fieldGroup } from '../../../worker/aep/schema/field-group.ts'
import schema from '../../../worker/aep/schema/schema.json' with { type: 'json' }
import type { SchemaExtra } from '../../../worker/chatlio/fields.ts'
import type { Send } from '../../lib/platform-client.ts'
import { at, type Json, listAt, textAt } from '../../lib/platform-request.ts'
import { byRegistryId, byTitle, REGISTRY } from '../lookup.ts'
import { fieldDifferences, missingFieldOperations } from '../schema-fields.ts'
import { type Context, difference, idOf, type Step } from '../step.ts'
import type { Wanted } from '../wanted.ts'

const PERMISSION = 'Data Modeling: Manage Schemas'

export const FIELD_GROUP: Step = {
  key: 'fieldGroup',
  title: 'Field group',
  name: ({ fieldGroupName }) => fieldGroupName,
  permission: PERMISSION,
  find: ({ send, wanted }) => byTitle(send, 'fieldgroups', wanted.fieldGroupName),
  compare: ({ body }, context) => fieldDifferences(groupOf(context), body, context.wanted.tenant),
  create: (context) => ({
    method: 'POST',
    path: `${REGISTRY}/tenant/fieldgroups`,
    body: groupOf(context),
  }),
  made: registered,
  amend({ id, body }, _, context) {
    const operations = missingFieldOperations(groupOf(context), body, context.wanted.tenant)
    if (operations === null) return null
    const path = `${REGISTRY}/tenant/fieldgroups/${encodeURIComponent(textAt(body, 'meta:altId') ?? id)}`
    return {
      what: `add ${operations.length} field(s) to the field group, which can never be renamed afterwards`,
      request: { method: 'PATCH', path, body: operations },
    }
  },
}

function groupOf({ wanted }: Context): Json {
  const text = JSON.stringify(fieldGroup).replaceAll('{TENANT_ID}', wanted.tenant)
  return {
    ...(JSON.parse(text) as typeof fieldGroup),
    title: wanted.fieldGroupName,
  } as unknown as Json
}

/** What a schema that somebody else has made has beyond the first version of our field group. */
export async function extrasOfSchema(
  send: Send,
  schemaId: string,
  wanted: Wanted,
): Promise<readonly SchemaExtra[]> {
  const body = await byRegistryId(send, 'schemas', schemaId)
  const there = listAt(body, 'allOf').flatMap((one) => textAt(one, '$ref') ?? [])
  const own = groupOf({ send, wanted, known: new Map() })
  let hasChat = false
  for (const id of there.filter((ref) => ref.includes(`/${wanted.tenant}/mixins/`))) {
    const group = await byRegistryId(send, 'fieldgroups', id)
    hasChat ||= fieldDifferences(own, group, wanted.tenant).length === 0
  }
  if (!hasChat) return []
  return there.includes(CONTACT_GROUP.id) ? ['chat', 'contact'] : ['chat']
}

export const SCHEMA: Step = {
  key: 'schema',
  title: 'Schema',
  name: ({ name }) => name,
  permission: PERMISSION,
  async find({ send, wanted }) {
    const { schema: id } = wanted.ids
    if (id === undefined) return byTitle(send, 'schemas', wanted.name)
    return [{ id, body: await byRegistryId(send, 'schemas', id) }]
  },
  compare: ({ body }, context) => {
    const missing = missingReferences(body, context)
    return missing.length === 0 ? [] : difference('allOf', missing.join(', '), null)
  },
  // Without the union tag: it cannot be taken back, and comes after the descriptors.
  create: (context) => {
    const { 'meta:immutableTags': _, ...body } = schema
    const allOf = referencesOf(context).map(($ref) => ({ $ref }))
    return {
      method: 'POST',
      path: `${REGISTRY}/tenant/schemas`,
      body: { ...body, title: context.wanted.name, allOf },
    }
  },
  made: registered,
  amend({ id, body }, _, context) {
    const missing = missingReferences(body, context)
    // A schema of another class only has the name in common with ours.
    if (!listAt(body, 'allOf').some((one) => at(one, '$ref') === EVENT_CLASS)) return null
    return {
      what: `add ${missing.length} field group(s) to the schema`,
      request: {
        method: 'PATCH',
        path: schemaPath(id, body),
        body: missing.map(($ref) => ({ op: 'add', path: '/allOf/-', value: { $ref } })),
      },
    }
  },
}

const EVENT_CLASS = 'https://ns.adobe.com/xdm/context/experienceevent'

/** Adobe's own fields for chats, which analysts know. Not every sandbox has them. */
export const CONTACT_GROUP = {
  id: 'https://ns.adobe.com/xdm/mixins/experienceevent-contact-request-details',
  title: 'Contact Request Details',
}

function referencesOf(context: Context): readonly string[] {
  const own = schema.allOf.map(({ $ref }) =>
    $ref.replace('{FIELD_GROUP_ID}', idOf(context, 'fieldGroup')),
  )
  return context.wanted.contact ? [...own, CONTACT_GROUP.id] : own
}

function missingReferences(body: Json, context: Context): readonly string[] {
  const there = listAt(body, 'allOf').map((one) => textAt(one, '$ref'))
  return referencesOf(context).filter(($ref) => !there.includes($ref))
}

export const UNION: Step = {
  key: 'union',
  title: 'Schema in Profile',
  name: ({ name }) => name,
  permission: PERMISSION,
  forever:
    'A schema that has been enabled for Real-Time Customer Profile stays so: this cannot be undone.',
  find: async ({ known }) => {
    const found = known.get('schema')
    return found && listAt(found.body, 'meta:immutableTags').includes('union') ? [found] : []
  },
  compare: () => [],
  create: (context) => ({
    method: 'PATCH',
    path: schemaPath(idOf(context, 'schema'), context.known.get('schema')?.body ?? null),
    body: [{ op: 'add', path: '/meta:immutableTags', value: ['union'] }],
  }),
  made: (body, context) => ({ id: idOf(context, 'schema'), body }),
}

function schemaPath(id: string, body: Json): string {
  return `${REGISTRY}/tenant/schemas/${encodeURIComponent(textAt(body, 'meta:altId') ?? id)}`
}

function registered(body: Json) {
  const id = textAt(body, '$id')
  return id === null ? null : { id, body }
}
