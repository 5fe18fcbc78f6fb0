/** What leaves the relay for somebody else to read: events as NDJSON, what would be sent of one, a bundle for support. */
import { Envelope } from '../../aep/client/client.ts'
import { encode } from '../../aep/record/encode.ts'
import { redactEvent } from '../../aep/record/redact.ts'
import { readEventOrNull } from '../../chatlio/event.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { isObject, parseExactly, parseJson } from '../../lib/json.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { causes, detailView, event, listedView, listFilter } from './events.ts'
import { find } from './people.ts'
import { alerts, log, status } from './relay.ts'

/** Streamed a page at a time, so that any number of events passes. One that fails midway ends without its last line. */
async function exportEvents(services: Services, input: Input<'export'>): Promise<Answer<'export'>> {
  const encoder = new TextEncoder()
  const pages = input.ids ? chosen(services, input.ids, input.state) : matching(services, input)
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await pages.next()
      if (done) return controller.close()
      controller.enqueue(encoder.encode(value.map((each) => `${JSON.stringify(each)}\n`).join('')))
    },
  })
  return { body }
}

async function* matching({ outbox }: Services, input: Input<'export'>) {
  const filter = listFilter(input)
  for (let after: number | null = null; ; ) {
    const { events, readTo } = await outbox().exported(filter, after)
    // What is enqueued must hold something, or nothing more is pulled.
    if (events.length > 0) yield events.map(exportedView)
    if (readTo === null) return
    after = readTo
  }
}

/** Those of the state, one by one. */
async function* chosen(
  services: Services,
  ids: readonly string[],
  state: Input<'export'>['state'],
) {
  for (const id of new Set(ids)) {
    const stored = await event(services, { id })
    const [found] = stored ? [stored] : (await find(services, { id, limit: 1 })).events
    const isOfState = state === 'all' || state === (stored?.state ?? 'delivered')
    if (found?.id === id && isOfState) yield [found]
  }
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
    // Addresses of operators are personal data too.
    log: actions.entries.map((entry) => ({
      ...entry,
      by: entry.by === 'token' ? 'token' : 'operator',
    })),
  }
}
