/**
 * Step: the mapping set of a raw dataflow. A set is never changed: where the rows differ, a new set is made and the
 * flow is pointed to it, as Adobe describes it (update-dataflows).
 *
 * The set that matters is the one the flow uses, so that is looked at first, whatever it is called; otherwise one is
 * looked up by name, and since names are not unique there, only one with the right rows counts. Rows of somebody's own,
 * into fields of theirs, are taken along: without them these fields would stay empty from that day on.
 * "Right" is decided on source and destination alone: Adobe reads `sourceType` back in other words.
 */
import { mappingRows } from '../../../worker/aep/schema/mapping.ts'
import { at, type Json, type JsonRecord, listAt, textAt } from '../../lib/platform-request.ts'
import { flowServiceOne, MAPPING_SETS, mappingSetById, mappingSetsByName } from '../lookup.ts'
import { type Context, type Difference, difference, type Found, idOf, type Step } from '../step.ts'
import { SCHEMA_CONTENT_TYPE, type Wanted } from '../wanted.ts'
import { made, SOURCES } from './connections.ts'

export const MAPPING: Step = {
  key: 'mapping',
  title: 'Mapping set',
  name: ({ flowName }) => flowName,
  permission: SOURCES,
  async find(context) {
    const used = await usedByFlow(context)
    const own = JSON.stringify(ownRows(used?.body ?? null, context))
    const isRight = (body: Json) =>
      differencesIn(body, context).length === 0 && JSON.stringify(ownRows(body, context)) === own
    if (used !== null && isRight(used.body)) return [used]
    const right: Found[] = []
    for (const { id } of await mappingSetsByName(context.send, context.wanted.flowName)) {
      const body = await mappingSetById(context.send, id, null)
      if (isRight(body)) right.push({ id, body })
    }
    return right.length > 0 || used === null ? right : [used]
  },
  compare: ({ body }, context) => differencesIn(body, context),
  create: (context) => ({
    method: 'POST',
    path: MAPPING_SETS,
    body: { name: context.wanted.flowName, ...mappingSetOf(context) },
  }),
  made,
  amend({ body }, differences, context) {
    const own = ownRows(body, context)
    const taken = own.length > 0 ? `, with ${own.length} row(s) of your own` : ''
    const { mappings, ...set } = mappingSetOf(context)
    return {
      what: `make a new mapping set${taken}, since the present one differs in ${differences.length} place(s), and let the dataflow use it`,
      request: {
        ...MAPPING.create(context),
        body: { name: context.wanted.flowName, ...set, mappings: [...mappings, ...own] },
      },
      replaces: true,
    }
  },
}

/** As `preview` and `validate` take it too. */
export function mappingSetOf(context: Context) {
  const { tenant, visitorNamespace, contact } = context.wanted
  return {
    outputSchema: {
      schemaRef: { id: idOf(context, 'schema'), contentType: SCHEMA_CONTENT_TYPE },
    },
    mappings: mappingRows(tenant, visitorNamespace, contact).map((row) => ({ ...row })),
  }
}

/** Rows into fields that are none of ours. */
function ownRows(set: Json, { wanted }: Context): JsonRecord[] {
  const { tenant, visitorNamespace } = wanted
  const ours = new Set(mappingRows(tenant, visitorNamespace, true).map((row) => row.destination))
  return listAt(set, 'mappings').flatMap((row) => {
    const [source, destination] = [sourceOf(row), destinationOf(row)]
    if (source === null || destination === null || ours.has(destination)) return []
    const said = textAt(row, 'sourceType') ?? ''
    const seen = PLAIN.test(source) ? 'ATTRIBUTE' : 'EXPRESSION'
    return [{ sourceType: TYPES.includes(said) ? said : seen, source, destination }]
  })
}

const TYPES = ['ATTRIBUTE', 'EXPRESSION', 'STATIC']

/** A path; anything else is an expression. Adobe may read `sourceType` back in other words. */
const PLAIN = /^[\w$@-]+(\[(\*|\d+)\])?(\.[\w$@-]+(\[(\*|\d+)\])?)*$/

const sourceOf = (row: Json) => textAt(row, 'source') ?? textAt(row, 'sourceAttribute')
export const destinationOf = (row: Json) =>
  textAt(row, 'destination') ?? textAt(row, 'destinationXdmPath')

async function usedByFlow({ send, wanted }: Context): Promise<Found | null> {
  const meant = { id: wanted.ids.flow, name: wanted.flowName }
  const [flow, ...others] = await flowServiceOne(send, 'flows', meant)
  const params = at(flow?.body ?? null, 'transformations', 0, 'params')
  const id = textAt(params, 'mappingId')
  if (id === null || others.length > 0) return null
  return { id, body: await mappingSetById(send, id, at(params, 'mappingVersion')) }
}

function differencesIn(set: Json, context: Context): readonly Difference[] {
  return rowDifferences(set, { ...context.wanted, schemaId: idOf(context, 'schema') })
}

/** `tenant` without its underscore. */
export function rowDifferences(
  set: Json,
  should: Pick<Wanted, 'tenant' | 'visitorNamespace'> & {
    readonly schemaId: string
    readonly contact?: boolean
  },
): readonly Difference[] {
  const { tenant, visitorNamespace, schemaId, contact } = should
  const there = new Map(
    listAt(set, 'mappings').map((row) => [destinationOf(row) ?? '', sourceOf(row)]),
  )
  const rows = mappingRows(tenant, visitorNamespace, contact).flatMap(({ source, destination }) =>
    difference(destination, source, there.get(destination) ?? null),
  )
  const found = textAt(set, 'outputSchema', 'schemaRef', 'id')
  return [...difference('outputSchema.schemaRef.id', schemaId, found), ...rows]
}
