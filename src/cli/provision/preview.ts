/**
 * Preview: our own samples through Adobe's mapper, before a flow is made that would use the mapping.
 *
 * Promises: nothing is stored on Adobe's side. Without `_id` and `timestamp` AEP drops every event, so that stops the
 * run; any other field that stays empty is a warning, since the rest of a record is still taken.
 */
import { mappingRows } from '../../worker/aep/schema/mapping.ts'
import { type ApiRequest, at, isRecord, type Json, textAt } from '../lib/platform-request.ts'
import { MAPPING_SETS } from './lookup.ts'
import { sampleRecords } from './sample.ts'
import type { Context } from './step.ts'
import { mappingSetOf } from './steps/mapping.ts'

export function previewRequest(context: Context): ApiRequest {
  return {
    method: 'POST',
    path: `${MAPPING_SETS}/preview`,
    body: { data: sampleRecords(), mappingSet: mappingSetOf(context) },
  }
}

type PreviewResult = {
  /** Sentences; any of them stops the run. */
  readonly problems: readonly string[]
  /** Paths of the schema that stay empty although the sample has a value. */
  readonly empty: readonly string[]
}

export function readPreview(answer: Json, { wanted }: Context): PreviewResult {
  const records = sampleRecords()
  const answers = Array.isArray(answer) ? (answer as readonly Json[]) : []
  if (answers.length !== records.length) {
    return {
      problems: [`Data Prep answered ${answers.length} of ${records.length} samples`],
      empty: [],
    }
  }
  const problems = new Set<string>()
  const empty = new Set<string>()
  for (const [index, record] of records.entries()) {
    const mapped = at(answers[index] ?? null, 'data')
    if (textAt(mapped, '_id') !== record._id) problems.add('_id does not come out of the mapping')
    const time = Date.parse(textAt(mapped, 'timestamp') ?? '')
    if (time !== Date.parse(String(record.timestamp))) {
      problems.add('timestamp does not come out of the mapping')
    }
    if (!isRecord(at(mapped, 'identityMap'))) empty.add('identityMap')
    for (const { sourceType, source, destination } of mappingRows(
      wanted.tenant,
      wanted.visitorNamespace,
      wanted.contact,
    )) {
      if (sourceType !== 'ATTRIBUTE' || !has(record, source)) continue
      if (!has(mapped, destination)) empty.add(destination)
    }
  }
  return { problems: [...problems], empty: [...empty] }
}

/** Whether there is a value at a path; `[*]`: in any item. */
function has(value: Json, path: string): boolean {
  const [key = '', ...rest] = path.split('.')
  const name = key.replace('[*]', '')
  const found = at(value, name)
  const items: readonly Json[] = key.endsWith('[*]') && Array.isArray(found) ? found : [found]
  return items.some((item) => (rest.length === 0 ? item !== null : has(item, rest.join('.'))))
}
