/**
 * The bundle with two things changed that no request can reach: a clock that jumps, set by `POST /_drill/clock?ms=N`
 * (milliseconds ahead of the real one; right again after a restart), and an encoder that throws on a marked event.
 * Alarms stay on the real clock, as they do where one machine's clock is wrong.
 */
import relay, { Outbox } from './index.js'

export { Outbox }

const UNENCODABLE = 'unencodable'
const realNow = Date.now
const { stringify } = JSON
let aheadMs = 0

Date.now = () => realNow() + aheadMs
JSON.stringify = (...input) => {
  const text = stringify(...input)
  if (text?.includes(UNENCODABLE)) throw new TypeError('cannot be encoded')
  return text
}

export default {
  ...relay,
  fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/_drill/clock') return relay.fetch(request, env, ctx)
    aheadMs = Number(searchParams.get('ms'))
    return new Response(null, { status: 204 })
  },
}
