/**
 * Inlet: answers one request to the streaming endpoint as the plan decides. The only place where records
 * enter the lake.
 *
 * Records are stored before any delay: AEP has the request once it has arrived, whether or not the sender
 * waits for the answer.
 */
import type { Answer, Later } from '../answer.ts'
import { type Connection, reset, unfinishedBody, untilAborted } from '../connection.ts'
import type { Decision } from '../plan.ts'
import { bodyForStatus } from '../problem.ts'
import { send, sendStatus } from '../send.ts'
import type { State } from '../state.ts'
import { type Arrival, type Judged, judge, problemOf, readArrival } from './arrival.ts'
import { idOf } from './message.ts'
import { batchAnswered, GARBAGE, type ItemOutcome, singleAccepted } from './responses.ts'

/** The status that the sender sees for one message, if any, whether AEP has the message, and for how long. */
type Fate = {
  readonly answered: number | null
  readonly recorded: boolean
  readonly later?: Later
}

export async function ingest(
  request: Request,
  connection: Connection | undefined,
  state: State,
): Promise<Response> {
  const arrival = await readArrival(request, state)
  const { entry, batch, routed, targets, refusal } = arrival
  const decision: Decision = routed
    ? state.plan.decide('ingest', targets, batch)
    : { request: { type: 'normal' }, items: new Map() }
  const answer = batch ? decision.request : forSingle(decision.request)
  const judged = refusal ? [] : arrival.messages.map((message) => judge(message, arrival, state))
  const fates = judged.map((verdict, index) => fateOf(verdict, index, answer, decision.items))
  for (const [index, verdict] of judged.entries()) record(verdict, fates[index], arrival, state)
  await state.sleep(answer.delayMs ?? state.settings.latencyMs, request.signal)
  if (answer.type === 'stall' || answer.type === 'reset') {
    entry.cut = answer.type
    if (answer.where !== 'body') {
      return answer.type === 'stall' ? untilAborted(request.signal) : reset(connection)
    }
    entry.status = 200
    const headers = { 'content-type': 'application/json' }
    const body = unfinishedBody(GARBAGE.truncated, answer.type, request.signal, connection)
    return new Response(body, { headers })
  }
  const response = respond(answer, arrival, judged, fates, state)
  entry.status = response.status
  return response
}

/** Translates the answers that only a batch can have for a single message. */
function forSingle(answer: Answer): Answer {
  const { delayMs } = answer
  if (answer.type === 'miscount') return { type: 'normal', delayMs }
  if (answer.type !== 'items') return answer
  const status = answer.items[0]
  if (typeof status !== 'number') return { type: 'normal', delayMs }
  return { type: 'status', status, recorded: answer.recorded, delayMs }
}

function fateOf(
  verdict: Judged,
  index: number,
  answer: Answer,
  items: ReadonlyMap<number, Answer>,
): Fate {
  const { status } = verdict
  switch (answer.type) {
    case 'normal': {
      const item = items.get(index)
      if (item?.type === 'failLater' || item?.type === 'lose') {
        return { answered: status, recorded: true, later: item }
      }
      if (item?.type !== 'status') return { answered: status, recorded: true }
      return { answered: item.status, recorded: item.recorded ?? item.status < 300 }
    }
    case 'items': {
      const answered = answer.items[index] ?? status
      return { answered, recorded: answer.recorded ?? answered < 300 }
    }
    case 'miscount': {
      const shown = index >= -(answer.by ?? -1)
      return { answered: shown ? status : null, recorded: shown || answer.recorded === true }
    }
    case 'status':
      return { answered: answer.status, recorded: answer.recorded === true }
    case 'garbage':
      return { answered: answer.status ?? 200, recorded: answer.recorded === true }
    case 'failLater':
    case 'lose':
      return { answered: status, recorded: true, later: answer }
    case 'stall':
    case 'reset':
      return { answered: null, recorded: answer.recorded === true }
  }
}

function record(verdict: Judged, fate: Fate | undefined, arrival: Arrival, state: State): void {
  // A message that AEP refuses by itself is never in its lake, whatever the script says.
  if (verdict.status !== 200 || !fate?.recorded) return
  const { record, header, flowId, landing } = verdict.envelope
  const { at } = arrival.entry
  const common = { at, flowId: flowId ?? arrival.flowId }
  const { later } = fate
  if (later?.type === 'lose') return
  if (later) {
    const {
      code = 'DCVS-1105-400',
      pointer = '/timestamp',
      message = 'made to fail by a rule',
    } = later
    state.lake.fail({
      ...common,
      header,
      datasetId: landing ? landing.datasetId : state.settings.datasetId,
      record: landing?.record ?? record,
      source: landing?.source ?? record,
      violations: [{ pointer, keyword: 'rule', message, code }],
      warnings: landing?.warnings ?? [],
    })
    return
  }
  if (landing) {
    state.lake.land(
      { ...common, path: arrival.batch ? 'batch' : 'single', header },
      landing,
      fate.answered,
    )
    return
  }
  state.lake.record({
    ...common,
    path: arrival.batch ? 'batch' : 'single',
    _id: idOf(record),
    record,
    header,
    acceptedStatus: fate.answered,
  })
}

function respond(
  answer: Exclude<Answer, { type: 'stall' | 'reset' }>,
  arrival: Arrival,
  judged: readonly Judged[],
  fates: readonly Fate[],
  state: State,
): Response {
  const { settings } = state
  if (answer.type === 'status') {
    return sendStatus(answer, bodyForStatus(answer.status, settings.inletId), state.now())
  }
  if (answer.type === 'garbage') {
    arrival.entry.cut = 'garbage'
    return send(answer.status ?? 200, GARBAGE[answer.garbage])
  }
  if (arrival.refusal) {
    const { status, body } = arrival.refusal
    return send(status, body, status === 405 ? { allow: 'POST' } : {})
  }
  const { at } = arrival.entry
  const xaction = state.xactions.next(at)
  if (!arrival.batch) {
    const [verdict] = judged
    return verdict?.status === 400
      ? send(400, problemOf(verdict))
      : send(200, singleAccepted(settings.inletId, xaction, at))
  }
  const outcomes = judged.map((verdict, index) => outcomeOf(verdict, fates[index]))
  const dialect = (answer.type === 'items' ? answer.dialect : undefined) ?? settings.dialect
  const counted = answer.type === 'miscount' ? miscount(outcomes, answer.by ?? -1) : outcomes
  arrival.entry.items = counted.map(({ status }) => status)
  return send(207, batchAnswered(settings.inletId, xaction, at, counted, dialect))
}

function outcomeOf(verdict: Judged, fate: Fate | undefined): ItemOutcome {
  const status = fate?.answered ?? verdict.status
  if (verdict.status === 200) return { status, message: status < 300 ? '' : `Status ${status}` }
  const details = verdict.violations?.map(({ message }) => message).join('; ')
  return { status, message: details ? `${verdict.message}: ${details}` : verdict.message }
}

function miscount(outcomes: readonly ItemOutcome[], by: number): readonly ItemOutcome[] {
  if (by < 0) return outcomes.slice(-by)
  return [...outcomes, ...Array.from({ length: by }, () => ({ status: 200, message: '' }))]
}
