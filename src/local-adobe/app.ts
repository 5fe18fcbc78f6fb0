/**
 * Local Adobe: a stand-in for Adobe Experience Platform: streaming ingestion, token endpoint, Platform APIs,
 * data lake and Profile store, as far as their behaviour is documented and visible from outside.
 *
 * Runs wherever `fetch` does: put `adobe.fetch` in place of the global `fetch` in a test, or serve
 * `adobe.handle` from a socket (`server.ts`). Everything is in memory; `onChange` lets a caller keep it.
 * Behaves as documented unless a script or a rule says otherwise.
 */
import { Hono } from 'hono'
import type { Answer } from './answer.ts'
import { type Connection, type Sleep, sleep } from './connection.ts'
import { controlRoutes } from './control.ts'
import { Ims } from './ims.ts'
import { type Endpoint, Plan, type Rule } from './plan.ts'
import { receptionAt } from './platform/inlets.ts'
import { settlePrivacyJobs } from './platform/privacy.ts'
import { platformRoutes } from './platform/routes.ts'
import { type Snapshot, Store } from './platform/store.ts'
import type { Violation } from './problem.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import { forget, type State } from './state.ts'
import { ingest } from './streaming/inlet.ts'
import {
  type FailedRecord,
  Lake,
  type LakeRecord,
  type PlatformRequestRecord,
  type RequestRecord,
  type TokenRequestRecord,
} from './streaming/lake.ts'
import { type Profile, profileOf } from './streaming/profile.ts'
import { Xactions } from './streaming/responses.ts'
import { issueToken } from './token.ts'

export type LocalAdobeOptions = Partial<Settings> & {
  now?: () => number
  sleep?: Sleep
  /** Checks an `xdmEntity` against its schema, in strict mode, for the inlet of the settings. */
  validate?: (entity: unknown) => readonly Violation[]
  /** Keep request bodies in the log; true by default. */
  keepBodies?: boolean
  /** Resources that the Platform APIs start with. */
  snapshot?: Snapshot | null
  /** Called with all their resources after each change, before the change is answered. */
  onChange?: (snapshot: Snapshot) => void
  uuid?: () => string
}

export type LocalAdobe = {
  /** Use it in place of the global `fetch`. */
  fetch(input: Request | URL | string, init?: RequestInit): Promise<Response>
  /** The same for a server, which can cut the connection for real. */
  handle(request: Request, connection?: Connection): Promise<Response>
  /** Everything received, in order, duplicates included. */
  readonly lake: readonly LakeRecord[]
  /** Every request to the streaming endpoint and to unknown paths, refused ones included. */
  readonly requests: readonly RequestRecord[]
  readonly tokenRequests: readonly TokenRequestRecord[]
  /** Every request to a Platform API, refused ones included. */
  readonly platformRequests: readonly PlatformRequestRecord[]
  /** Records that were accepted and then kept out of their dataset. */
  readonly failed: readonly FailedRecord[]
  /** The largest number of requests to the inlet that were open at once. */
  readonly peak: number
  readonly settings: Settings
  /** Which events of the lake Real-Time Customer Profile would keep, and which it would drop. */
  profile(): Profile
  /** Answers for the next requests, one each, before any rule. */
  script(...answers: Answer[]): void
  scriptToken(...answers: Answer[]): void
  scriptPlatform(...answers: Answer[]): void
  rule(rule: Rule): void
  clearRules(): void
  set(settings: Partial<Settings>): void
  /** Moves the clock forward: runs, batches, tokens and privacy jobs go by it. */
  advance(ms: number): void
  /** Every access token issued so far stops working. */
  revoke(): void
  /** Forgets lake, logs, rules and scripts; settings and tokens stay. */
  reset(): void
}

export function createLocalAdobe(options: LocalAdobeOptions = {}): LocalAdobe {
  const { now: baseNow = Date.now, validate = () => [], keepBodies = true, ...more } = options
  const { snapshot = null, onChange = () => {}, uuid = () => crypto.randomUUID(), ...rest } = more
  const { sleep: pause = sleep, ...ownSettings } = rest
  const clock = { aheadMs: 0 }
  const now = () => baseNow() + clock.aheadMs
  const state: State = {
    clock,
    settings: { ...DEFAULT_SETTINGS, ...ownSettings },
    plan: new Plan(now),
    lake: new Lake(),
    ims: new Ims(now),
    xactions: new Xactions(),
    now,
    sleep: pause,
    validate,
    keepBodies,
    platform: new Store({ now, uuid, onChange }, snapshot),
    privacyJobs: [],
  }
  const { plan, lake, ims } = state
  const script = (answers: readonly Answer[], on: Endpoint) => plan.script(answers, on)
  const app = routes(state)
  const handle = async (request: Request, connection?: Connection) =>
    app.fetch(request, { connection })

  return {
    fetch: (input, init) => handle(new Request(input, init)),
    handle,
    lake: lake.records,
    requests: lake.requests,
    tokenRequests: lake.tokenRequests,
    platformRequests: lake.platformRequests,
    failed: lake.failed,
    get peak() {
      return lake.peak
    },
    get settings() {
      return state.settings
    },
    profile: () => profileOf(lake.profile, state.settings),
    script: (...answers) => script(answers, 'ingest'),
    scriptToken: (...answers) => script(answers, 'token'),
    scriptPlatform: (...answers) => script(answers, 'platform'),
    rule: (rule) => plan.rule(rule),
    clearRules: () => plan.clearRules(),
    set: (settings) => {
      state.settings = { ...state.settings, ...settings }
    },
    advance: (ms) => {
      clock.aheadMs += ms
      settlePrivacyJobs(state)
    },
    revoke: () => ims.revoke(),
    reset: () => forget(state),
  }
}

function routes(state: State) {
  // A slash at the end of a path makes no difference, as with Adobe.
  const app = new Hono<{ Bindings: { connection?: Connection } }>({ strict: false })
  // A lost connection is not an answer: the caller gets the error itself.
  app.onError((error) => {
    throw error
  })
  app.use('*', async (_, next) => {
    settlePrivacyJobs(state)
    await next()
  })
  app.route('/_', controlRoutes(state))
  app.post('/ims/token/v3', (c) => issueToken(c.req.raw, c.env.connection, state))
  app.route('/data', platformRoutes(state))
  app.all('*', (c) => {
    const reception = receptionAt(c.req.path, state.platform, state.settings)
    const own = reception ? { ...state, ...reception } : state
    return state.lake.open(() => ingest(c.req.raw, c.env.connection, own))
  })
  return app
}
