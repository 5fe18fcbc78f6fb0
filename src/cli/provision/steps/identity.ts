/**
 * Steps: the namespace of the visitor's UUID, and the non-primary identity descriptors.
 *
 * The descriptors tell Adobe's privacy jobs for the data lake which fields hold a person's identity. Never primary:
 * a field that is the primary identity becomes mandatory, and anonymous chats would be refused. Never an agent's.
 */
import namespace from '../../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import { at, textAt } from '../../lib/platform-request.ts'
import { descriptorsOf, NAMESPACES, namespacesByCode, REGISTRY } from '../lookup.ts'
import { difference, idOf, type Key, type Step } from '../step.ts'
import type { Wanted } from '../wanted.ts'

export const NAMESPACE: Step = {
  key: 'namespace',
  title: 'Identity namespace',
  name: ({ visitorNamespace }) => visitorNamespace,
  permission: 'Identity Management: Manage Identity Namespaces',
  forever: 'A namespace can never be deleted, nor its code or type changed.',
  find: ({ send, wanted }) => namespacesByCode(send, wanted.visitorNamespace),
  compare: ({ body, id }, { wanted }) => [
    ...difference('code', wanted.visitorNamespace, id),
    ...difference('idType', namespace.idType, (textAt(body, 'idType') ?? '').toUpperCase()),
  ],
  create: ({ wanted }) => ({
    method: 'POST',
    path: NAMESPACES,
    body: { ...namespace, code: wanted.visitorNamespace },
  }),
  made: (body, { wanted }) => ({ id: textAt(body, 'code') ?? wanted.visitorNamespace, body }),
}

function descriptor(key: Key, path: string, namespaceOf: (wanted: Wanted) => string): Step {
  const property = ({ tenant }: Wanted) => `/_${tenant}/chatlio/${path}`
  return {
    key,
    title: 'Identity descriptor',
    name: (wanted) => `${property(wanted)} as ${namespaceOf(wanted)}`,
    permission: 'Data Modeling: Manage Schemas and Manage Identity Metadata',
    async find({ send, wanted, known }) {
      const schema = known.get('schema')
      if (!schema) return []
      return (await descriptorsOf(send, schema.id))
        .filter((one) => at(one, '@type') === 'xdm:descriptorIdentity')
        .filter((one) => at(one, 'xdm:sourceProperty') === property(wanted))
        .map((body) => ({ id: textAt(body, '@id') ?? '', body }))
    },
    // Adobe does not preserve the case of a namespace's code, and may give its id instead.
    compare: ({ body }, { wanted }) => [
      ...(at(body, 'xdm:property') === 'xdm:id'
        ? []
        : difference(
            'xdm:namespace',
            namespaceOf(wanted).toLowerCase(),
            textAt(body, 'xdm:namespace')?.toLowerCase() ?? null,
          )),
      ...difference('xdm:isPrimary', false, at(body, 'xdm:isPrimary') === true),
    ],
    create: (context) => ({
      method: 'POST',
      path: `${REGISTRY}/tenant/descriptors`,
      body: {
        '@type': 'xdm:descriptorIdentity',
        'xdm:sourceSchema': idOf(context, 'schema'),
        'xdm:sourceVersion': 1,
        'xdm:sourceProperty': property(context.wanted),
        'xdm:namespace': namespaceOf(context.wanted),
        'xdm:property': 'xdm:code',
        'xdm:isPrimary': false,
      },
    }),
    made: (body) => ({ id: textAt(body, '@id') ?? '', body }),
  }
}

export const DESCRIPTORS: readonly Step[] = [
  descriptor('visitorDescriptor', 'visitor/uuid', ({ visitorNamespace }) => visitorNamespace),
  descriptor('visitorEmailDescriptor', 'visitor/email', () => 'Email'),
  descriptor('emailDescriptor', 'email', () => 'Email'),
]
