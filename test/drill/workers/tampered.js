/**
 * The bundle with three things changed that no request can reach: a clock that jumps, set by `POST /_drill/clock?ms=N`
 * (milliseconds ahead of the real one; right again after a restart),  an encoder that throws on a marked event,
 * and a disk that is full from `POST /_drill/disk?full=yes` on, until one without. `POST /_drill/cron` is the cron trigger.
 * Alarms stay on the real clock, as they do where one machine's clock is wrong.
 */
import relay, { Outbox as Own } from './index.js'

export * from './index.js'

let isFull = false

/** SQLite on a full disk still reads and deletes. */
export class Outbox extends Own {
  constructor(ctx, env) {
    const sql = Object.getPrototypeOf(ctx.storage.sql)
    const { exec } = sql
    sql.exec = function (query, ...values) {
      if (isFull && /^\s*INSERT/i.test(query))
        throw new Error('database or disk is full: SQLITE_FULL')
      return exec.call(this, query, ...values)
    }
    super(ctx, env)
  }
}

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
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/_drill/clock') aheadMs = Number(searchParams.get('ms'))
    else if (pathname === '/_drill/disk') isFull = searchParams.has('full')
    else if (pathname === '/_drill/cron') {
      await relay.scheduled(
        { scheduledTime: Date.now(), cron: '* * * * *', noRetry() {} },
        env,
        ctx,
      )
    } else return relay.fetch(request, env, ctx)
    return new Response(null, { status: 204 })
  },
}
