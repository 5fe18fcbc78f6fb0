/** Token: the route of the token endpoint; the same trouble can be scripted for it as for the inlet. */
import { type Connection, reset, unfinishedBody, untilAborted } from './connection.ts'
import { send, sendStatus } from './send.ts'
import type { State } from './state.ts'
import type { TokenRequestRecord } from './streaming/lake.ts'
import { GARBAGE } from './streaming/responses.ts'

export async function issueToken(
  request: Request,
  connection: Connection | undefined,
  state: State,
): Promise<Response> {
  const entry: TokenRequestRecord = { at: state.now(), status: null, isIssued: false }
  state.lake.tokenRequests.push(entry)
  const form = await readForm(request)
  const { request: answer } = state.plan.decide('token', [], false)
  await state.sleep(answer.delayMs ?? 0, request.signal)
  const response = await (() => {
    switch (answer.type) {
      case 'stall':
      case 'reset': {
        if (answer.where === 'body') {
          const start = '{"access_token":"local'
          return new Response(unfinishedBody(start, answer.type, request.signal, connection))
        }
        return answer.type === 'stall' ? untilAborted(request.signal) : reset(connection)
      }
      case 'status':
        return sendStatus(answer, { error: 'server_error' }, state.now())
      case 'garbage':
        return send(answer.status ?? 200, GARBAGE[answer.garbage])
      case 'normal':
      case 'items':
      case 'miscount':
      case 'failLater':
      case 'lose': {
        const { status, body } = state.ims.issue(form, state.settings)
        entry.isIssued = status === 200
        return send(status, body)
      }
    }
  })()
  entry.status = response.status
  return response
}

/** Without a form content type all fields count as missing. */
async function readForm(request: Request): Promise<URLSearchParams> {
  const text = new TextDecoder().decode(await request.arrayBuffer())
  const type = request.headers.get('content-type') ?? ''
  return new URLSearchParams(type.startsWith('application/x-www-form-urlencoded') ? text : '')
}
