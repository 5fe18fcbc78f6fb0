/** What leaves the relay for somebody else to read: events as NDJSON, what would be sent of one, a bundle for support. */
import { Envelope } from '../../aep/client/envelope.ts'
import { encode } from '../../aep/record/encode.ts'
import { redactEvent } from '../../aep/record/redact.ts'
import { readEventOrNull } from '../../chatlio/event.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { isObject, parseExactly, parseJson } from '../../lib/json.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { causes, detailView, listedView, listFilter } from './events.ts'
import { alerts, log, status } from './relay.ts'

/** Streamed a page at a time, so that any number of events passes. One that fails midway ends without its last line. */
async function exportEvents(
  { outbox }: Services,
  input: Input<'export'>,
): Promise<Answer<'export'>> {
  const filter = listFilter(input)
  const encoder = new TextEncoder()
  let after: number | null = null
  let isOver = false
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // A page may be empty: `pull` is not called again until something has come.
      for (let text = ''; text === '' && !isOver; ) {
        const { events, readTo } = await outbox().exported(filter, after)
        text = events.map((event) => `${JSON.stringify(exportedView(event))}\n`).join('')
        after = readTo
        isOver = readTo === null
        if (text !== '') controller.enqueue(encoder.encode(text))
      }
      if (isOver) controller.close()
    },
  })
  return { body }
}

export { exportEvents as export }

type Exported = Awaited<ReturnType<ReturnType<Services['outbox']>['exported']>>['events'][number]

function exportedView(event: Exported) {
  return 'body' in event ? detailView(event) : listedView(event)
}

/** Encoded anew, as a redrive would be: of a split event all parts, also those that AEP has. */
export async function preview(
  { outbox, config, rim }: Services,
  { id }: Input<'preview'>,
): Promise<Answer<'preview'> | null> {
  const stored = await outbox().get(id)
  if (!stored) return null
  const { destination, redact, maxEventBytes } = config
  const event = readEventOrNull(stored, parseJson(stored.body))
  const nothing = { sendable: false, format: destination?.format ?? null, records: [], masked: [] }
  if (event?.outcome !== 'valid') {
    return { ...nothing, why: 'It is not a valid event, so nothing is sent.', redacted: {} }
  }
  if (!destination) {
    return { ...nothing, why: 'The configuration names no place to send it to.', redacted: {} }
  }
  const maxRecordBytes = new Envelope(destination).maxRecordBytes(maxEventBytes)
  const { source } = stored
  const sent = encode(event.event, destination, maxRecordBytes, { now: rim.now(), source, redact })
  const texts = sent.split ? sent.parts : [sent.record]
  const { payload } = redactEvent(event.event, redact).event
  return {
    sendable: true,
    why: null,
    format: destination.format,
    records: texts.map(parseExactly),
    masked: differences(event.event.payload, payload, ''),
    redacted: { ...sent.redacted },
  }
}

/** Where two values differ: the path, and the text that is sent; `null`: it is left out. */
function differences(before: unknown, after: unknown, path: string): Answer<'preview'>['masked'] {
  if (before === after) return []
  const isHolder = (value: unknown) => isObject(value) || Array.isArray(value)
  if (!isHolder(before) || !isHolder(after)) {
    return [{ path, text: after === undefined ? null : String(after) }]
  }
  const [from, to] = [before, after] as Record<string, unknown>[]
  return Object.keys(from ?? {}).flatMap((key) =>
    differences(from?.[key], to?.[key], path === '' ? key : `${path}.${key}`),
  )
}

export async function support(services: Services): Promise<Answer<'support'>> {
  const [known, health, parked, states, actions] = await Promise.all([
    status(services),
    services.health.reasons(),
    causes(services),
    alerts(services),
    log(services, { limit: 200 }),
  ])
  return {
    at: toIso(services.rim.now()),
    status: known,
    health: [...health],
    causes: parked.causes,
    alerts: states.alerts,
    settings: services.settings(),
    problems: [...services.config.problems],
    // Whose address it was is nobody's business there.
    log: actions.entries.map((entry) => ({
      ...entry,
      by: entry.by === 'token' ? 'token' : 'operator',
    })),
  }
}
