/** Step: the dataset that the events land in. Profile's tags come with it, or are added to one that exists. */
import { at, type Json, listAt, textAt } from '../../lib/platform-request.ts'
import { DATASETS, datasetById, datasetsByName } from '../lookup.ts'
import { type Difference, difference, idOf, type Step } from '../step.ts'
import { SCHEMA_CONTENT_TYPE } from '../wanted.ts'

const TAGS = ['unifiedIdentity', 'unifiedProfile'] as const
const ENABLED = 'enabled:true'

export const DATASET: Step = {
  key: 'dataset',
  title: 'Dataset',
  name: ({ name }) => name,
  permission: 'Data Management: Manage Datasets',
  async find({ send, wanted }) {
    const { dataset: id } = wanted.ids
    if (id === undefined) return datasetsByName(send, wanted.name)
    const body = await datasetById(send, id)
    return body === null ? [] : [{ id, body }]
  },
  compare: ({ body }, context) => [
    ...difference('schemaRef.id', idOf(context, 'schema'), textAt(body, 'schemaRef', 'id')),
    ...(context.wanted.profile ? missingTags(body) : []),
  ],
  create: (context) => ({
    method: 'POST',
    path: DATASETS,
    body: {
      name: context.wanted.name,
      description: 'Webhooks of the Chatlio live chat.',
      schemaRef: { id: idOf(context, 'schema'), contentType: SCHEMA_CONTENT_TYPE },
      ...(context.wanted.profile && {
        tags: Object.fromEntries(TAGS.map((tag) => [tag, [ENABLED]])),
      }),
    },
  }),
  made: (answer) => {
    const id = /([^/]+)$/.exec(textAt(answer, 0) ?? '')?.[1]
    return id === undefined ? null : { id, body: null }
  },
  amend({ id, body }, differences) {
    if (differences.some(({ field }) => !field.startsWith('tags.'))) return null
    const lacking = missingTags(body).map(({ field }) => field.replace('.', '/'))
    return {
      what: 'enable the dataset for Real-Time Customer Profile',
      request: {
        method: 'PATCH',
        path: `${DATASETS}/${encodeURIComponent(id)}`,
        headers: { 'content-type': 'application/json-patch+json' },
        body: lacking.map((path) => ({ op: 'add', path: `/${path}`, value: [ENABLED] })),
      },
    }
  },
}

/** Adobe writes the value with and without a blank. */
function missingTags(body: Json): readonly Difference[] {
  return TAGS.flatMap((tag) => {
    const values = listAt(body, 'tags', tag).map((value) => String(value).replaceAll(' ', ''))
    return values.includes(ENABLED) ? [] : difference(`tags.${tag}`, ENABLED, at(body, 'tags', tag))
  })
}
