/**
 * Control: the routes under `/_/` that script the local Adobe and show the requests and records it received.
 * Every input is checked; a wrong one answers 400, names the place and the expected value, and changes nothing.
 */
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { RuleSchema, ScriptSchema } from './plan.ts'
import { settlePrivacyJobs } from './platform/privacy.ts'
import { SettingsSchema } from './settings.ts'
import { forget, type State } from './state.ts'
import { profileOf } from './streaming/profile.ts'

const Flag = v.optional(v.picklist(['0', '1']))
const Count = v.pipe(v.string(), v.digits(), v.transform(Number))
const ListQuery = v.strictObject({
  /** Only the figures. */
  count: Flag,
  /** Only the `_id`s. */
  ids: Flag,
  /** Only entries after the one with this `seq`. */
  since: v.optional(Count),
  limit: v.optional(Count),
})

/** Either way the clock goes on running. */
const ClockSchema = v.union([
  v.strictObject({ advanceMs: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  v.strictObject({ now: v.pipe(v.string(), v.isoTimestamp()) }),
])

export function controlRoutes(state: State): Hono {
  const { plan, lake, ims } = state
  const app = new Hono()

  const settings = (c: Context) => c.json({ settings: state.settings, ...plan.pending() })

  app.get('/settings', settings)
  app.post('/settings', async (c) => {
    const input = await checked(c, v.partial(SettingsSchema))
    if (!input.ok) return input.response
    state.settings = { ...state.settings, ...withoutUndefined(input.value) }
    return settings(c)
  })

  app.post('/script', async (c) => {
    const input = await checked(c, ScriptSchema)
    if (!input.ok) return input.response
    plan.script(input.value.answers, input.value.on)
    return c.json(plan.pending())
  })

  app.post('/rule', async (c) => {
    const input = await checked(c, RuleSchema)
    if (!input.ok) return input.response
    plan.rule(input.value)
    return c.json(plan.pending())
  })

  app.delete('/rules', (c) => {
    plan.clearRules()
    return c.json(plan.pending())
  })

  app.get('/clock', (c) => c.json({ now: new Date(state.now()).toISOString() }))
  app.post('/clock', async (c) => {
    const input = await checked(c, ClockSchema)
    if (!input.ok) return input.response
    const { value } = input
    const ms = 'advanceMs' in value ? value.advanceMs : Date.parse(value.now) - state.now()
    state.clock.aheadMs += ms
    settlePrivacyJobs(state)
    return c.json({ now: new Date(state.now()).toISOString() })
  })

  app.post('/reset', (c) => {
    forget(state)
    if (c.req.query('platform') === '1') state.platform.clear()
    return c.json(plan.pending())
  })

  app.post('/revoke', (c) => {
    ims.revoke()
    return c.json({ revoked: true })
  })

  app.get('/lake', (c) => {
    const query = checkedQuery(c)
    if (!query.ok) return query.response
    const distinct = new Set(lake.records.map(({ _id }) => _id)).size
    const figures = { count: lake.records.length, distinct }
    if (query.value.count === '1') return c.json(figures)
    const events = page(lake.records, query.value)
    if (query.value.ids === '1') return c.json({ ...figures, ids: events.map(({ _id }) => _id) })
    return c.json({ ...figures, events })
  })

  app.get('/failed', (c) => {
    const query = checkedQuery(c)
    if (!query.ok) return query.response
    const count = lake.failed.length
    return c.json(
      query.value.count === '1' ? { count } : { count, events: page(lake.failed, query.value) },
    )
  })

  app.get('/platform', (c) => {
    const query = checkedQuery(c)
    if (!query.ok) return query.response
    const count = lake.platformRequests.length
    if (query.value.count === '1') return c.json({ count })
    return c.json({ count, requests: page(lake.platformRequests, query.value) })
  })

  app.get('/profile', (c) => {
    const query = checkedQuery(c)
    if (!query.ok) return query.response
    const { kept, dropped } = profileOf(lake.profile, state.settings)
    const figures = { count: kept.length, droppedCount: dropped.length }
    if (query.value.count === '1') return c.json(figures)
    if (query.value.ids === '1') return c.json({ ...figures, ids: kept.map(({ _id }) => _id) })
    return c.json({
      ...figures,
      kept: page(kept, query.value),
      dropped: page(dropped, query.value),
    })
  })

  app.get('/requests', (c) => {
    const query = checkedQuery(c)
    if (!query.ok) return query.response
    const figures = { count: lake.requests.length, tokenRequests: lake.tokenRequests.length }
    if (query.value.count === '1') return c.json({ ...figures, peak: lake.peak })
    return c.json({ ...figures, peak: lake.peak, requests: page(lake.requests, query.value) })
  })

  app.all('*', (c) => c.json({ error: 'not-found', message: 'No such control route' }, 404))
  return app
}

type Checked<T> = { ok: true; value: T } | { ok: false; response: Response }

async function checked<S extends v.GenericSchema>(
  c: Context,
  schema: S,
): Promise<Checked<v.InferOutput<S>>> {
  let input: unknown
  try {
    input = await c.req.json()
  } catch {
    const issues = [{ path: '', message: 'Expected a body of JSON' }]
    return { ok: false, response: c.json({ error: 'invalid-request', issues }, 400) }
  }
  return check(c, schema, input)
}

const checkedQuery = (c: Context) => check(c, ListQuery, c.req.query())

function check<S extends v.GenericSchema>(
  c: Context,
  schema: S,
  input: unknown,
): Checked<v.InferOutput<S>> {
  const result = v.safeParse(schema, input)
  if (result.success) return { ok: true, value: result.output }
  const issues = result.issues.map((issue) => ({
    path: v.getDotPath(issue) ?? '',
    message: issue.message,
  }))
  return { ok: false, response: c.json({ error: 'invalid-request', issues }, 400) }
}

function page<T extends { seq: number }>(
  list: readonly T[],
  { since = 0, limit = Infinity }: v.InferOutput<typeof ListQuery>,
): T[] {
  return list.filter((entry) => entry.seq > since).slice(0, limit)
}

/** A key that is present and undefined would overwrite its setting with nothing. */
function withoutUndefined<T extends object>(input: { [K in keyof T]?: T[K] | undefined }) {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: T[K]
  }
}
