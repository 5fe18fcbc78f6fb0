/**
 * Privacy Service: jobs that delete a person. Adobe forbids test jobs, so this is where they are tried.
 *
 * A job works through its products by the clock, in the order of `include`, and is done after `privacyJobMs`. The data
 * lake loses the records with a field that an identity descriptor describes and an `unregistered` identity equals;
 * Profile those whose primary identity is named by a registered one. Both lose only what was there when the job was made:
 * what arrives meanwhile stays. Whoever is found nowhere is reported so, and the job is complete all the same.
 * Every sandbox is processed, whatever the header says.
 */
import { type Context, Hono } from 'hono'
import { DAY_MS } from '../../worker/limits.ts'
import type { State } from '../state.ts'
import { isObject, type JsonObject } from '../streaming/message.ts'
import { primaryIdentity } from '../streaming/profile.ts'
import { objectBody, text } from './body.ts'
import { catalogError } from './errors.ts'
import type { PlatformEnv } from './gateway.ts'
import { namespaces } from './identities.ts'
import { describedIdentities } from './profile-identities.ts'

type UserId = {
  readonly namespace: string
  readonly value: string
  readonly type: string
  /** The namespace it stands for; null for an unregistered one, and for one that does not exist. */
  readonly registered: { readonly id: number; readonly code: string } | null
}

type Response = { readonly product: string; readonly at: number; readonly message: string }

export type PrivacyJob = {
  readonly id: string
  readonly requestId: string
  readonly key: string
  readonly action: readonly string[]
  readonly regulation: string
  readonly at: number
  readonly userIds: readonly UserId[]
  readonly include: readonly string[]
  readonly responses: Response[]
}

const MAX_USERS = 1_000
const MAX_USER_IDS = 9
const PAGE = 100
const LOOK_BACK_DAYS = 45
const MAX_RANGE_DAYS = 30
const TYPES = ['standard', 'custom', 'integrationCode', 'namespaceId', 'unregistered']
const PRODUCTS = [
  'adcloud',
  'aepdatalake',
  'analytics',
  'audiencemanager',
  'campaign',
  'cja',
  'cjm',
  'crs',
  'identity',
  'primetimeauthentication',
  'profileservice',
  'target',
]
const REGULATIONS =
  'apa_aus ccpa cpa_co_usa cpra_ca_usa ctdpa_ct_usa dpdpa fdbr_fl_usa gdpr hipaa_usa icdpa_ia_usa lgpd_bra mcdpa_mn_usa mcdpa_mt_usa mhmda_wa_usa ndpa_ne_usa nhpa_nh_usa njdpa_nj_usa nzpa_nzl ocpa_or_usa pdpa_tha ql25 tdpsa_tx_usa tipa_tn_usa ucpa_ut_usa vcdpa_va_usa'.split(
    ' ',
  )

const refuse = (message: string) => catalogError(400, message)

/** Under `/data/core/privacy`. */
export function privacyRoutes(state: State): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.post('/jobs', async (c) => {
    const body = await objectBody(c, refuse)
    const made = jobsFrom(body, state)
    state.privacyJobs.push(...made)
    const jobs = made.map(({ id, key, action }) => ({
      jobId: id,
      customer: { user: { key, action } },
    }))
    return c.json({ requestId: made[0]?.requestId, totalRecords: jobs.length, jobs }, 202)
  })

  app.get('/jobs', (c) => {
    const { page, size, from, to } = listQuery(c, state.now())
    const { regulation, status } = c.req.query()
    const found = state.privacyJobs
      .filter((job) => job.regulation === regulation)
      .filter((job) => job.at >= from && job.at < to)
      .filter((job) => status === undefined || statusOf(job, state) === status)
    const rows = found.slice(page * size, (page + 1) * size)
    return c.json({
      jobDetails: rows.map((job) => jobView(job, state)),
      totalRecords: found.length,
    })
  })

  app.get('/jobs/:id', (c) => {
    const job = state.privacyJobs.find(({ id }) => id === c.req.param('id'))
    const last = job?.responses.at(-1)?.at ?? Infinity
    const isGone = job && statusOf(job, state) === 'complete' && state.now() > last + 30 * DAY_MS
    if (!job || isGone) throw catalogError(404, 'The requested job was not found')
    return c.json(jobView(job, state))
  })
  return app
}

/** Does what has become due. Called before anything looks at lake, Profile or jobs. */
export function settlePrivacyJobs(state: State): void {
  for (const job of state.privacyJobs) {
    while (job.responses.length < job.include.length) {
      const done = job.responses.length + 1
      const at = job.at + (state.settings.privacyJobMs * done) / job.include.length
      if (state.now() < at) break
      const product = job.include[done - 1] ?? ''
      job.responses.push({ product, at, message: erase(job, product.toLowerCase(), state) })
    }
  }
}

/** What the product says of it. */
function erase(job: PrivacyJob, product: string, { lake, platform, settings }: State): string {
  const registered = job.userIds.filter(({ type }) => type !== 'unregistered')
  const isRegistered = product !== 'aepdatalake'
  const own = isRegistered ? registered.filter((one) => one.registered) : unregistered(job)
  if (isRegistered && registered.length > 0 && own.length === 0) return 'Invalid Namespace'
  const names = (one: { namespace: string; id: string }) =>
    own.some(
      ({ namespace, value, registered: known }) =>
        value === one.id &&
        (known?.code ?? namespace).toLowerCase() === one.namespace.toLowerCase(),
    )
  const erased =
    product === 'aepdatalake'
      ? lake.erase('records', (one) => {
          const dataSet = platform.all('dataSets').find(({ id }) => id === one.datasetId)
          const isOld = one.at <= job.at
          return (
            isOld &&
            dataSet !== undefined &&
            describedIdentities(platform, dataSet, one.record).some(names)
          )
        })
      : product === 'profileservice'
        ? lake.erase('profile', (one) => {
            const primary = primaryIdentity(one, settings)
            return one.at <= job.at && primary !== null && names(primary)
          })
        : own.length
  if (erased === 0) return 'User IDs were not found'
  return own.length < registered.length && isRegistered ? 'Partially Completed' : 'Success'
}

const unregistered = ({ userIds }: PrivacyJob) =>
  userIds.filter(({ type }) => type === 'unregistered')

function statusOf(
  { at, include, responses }: PrivacyJob,
  { now, settings }: State,
): 'submitted' | 'processing' | 'complete' | 'error' {
  if (responses.some(isError)) return responses.length === include.length ? 'error' : 'processing'
  if (responses.length === include.length) return 'complete'
  const started = at + Math.min(settings.privacyStartMs, settings.privacyJobMs / include.length)
  return now() < started ? 'submitted' : 'processing'
}

const isError = ({ message }: Response) => message === 'Invalid Namespace'

function jobView(job: PrivacyJob, state: State): JsonObject {
  const { id, requestId, key, action, regulation, at, userIds, include, responses } = job
  const status = statusOf(job, state)
  return {
    jobId: id,
    requestId,
    userKey: key,
    action: action[0],
    status,
    submittedBy: 'local-user@techacct.adobe.com',
    createdDate: dateOf(at),
    lastModifiedDate: dateOf(responses.at(-1)?.at ?? at),
    userIds: userIds.map(({ namespace, value, type, registered }) => ({
      namespace,
      value,
      type,
      ...(registered && { namespaceId: registered.id }),
      isDeletedClientSide: false,
    })),
    productResponses: include.map((product, index) => {
      const done = responses[index]
      const response = done
        ? {
            status: isError(done) ? 'error' : 'complete',
            message: done.message,
            ...(done.message === 'Success' && { responseMsgCode: 'PRVCY-6000-200' }),
          }
        : { status: status === 'error' ? 'processing' : status }
      return {
        product,
        retryCount: 0,
        processedDate: dateOf(done?.at ?? at),
        productStatusResponse: response,
      }
    }),
    downloadURL: null,
    regulation,
  }
}

/** `11/29/2026 08:25 PM GMT` */
function dateOf(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T')
  const [year, month, day] = date.split('-')
  const hour = Number(time.slice(0, 2))
  const twelve = String(hour % 12 || 12).padStart(2, '0')
  return `${month}/${day}/${year} ${twelve}:${time.slice(3, 5)} ${hour < 12 ? 'AM' : 'PM'} GMT`
}

function listQuery(c: Context<PlatformEnv>, now: number) {
  const { regulation, page = '0', size = String(PAGE), fromDate, toDate } = c.req.query()
  if (!regulation) throw refuse('The regulation query parameter is required')
  if (!/^\d+$/.test(page)) throw refuse('page must be a number')
  // One page of Adobe's allows 1000, its OpenAPI file 100.
  if (!/^\d+$/.test(size) || Number(size) < 1 || Number(size) > PAGE) {
    throw refuse(`size must be a number from 1 to ${PAGE}`)
  }
  if ((fromDate === undefined) !== (toDate === undefined)) {
    throw refuse('fromDate and toDate must be given together')
  }
  const oldest = now - LOOK_BACK_DAYS * DAY_MS
  const from = fromDate === undefined ? oldest : dayOf(fromDate)
  const to = toDate === undefined ? now + 1 : dayOf(toDate) + DAY_MS
  if (to - from > (MAX_RANGE_DAYS + 1) * DAY_MS && fromDate !== undefined) {
    throw refuse(`The range of dates must not exceed ${MAX_RANGE_DAYS} days`)
  }
  return { page: Number(page), size: Number(size), from: Math.max(from, oldest), to }
}

function dayOf(date: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(date) : Number.NaN
  if (Number.isNaN(ms)) throw refuse('Dates must be such as 2026-11-29')
  return ms
}

function jobsFrom(body: JsonObject, state: State): readonly PrivacyJob[] {
  const { settings, now, platform } = state
  const contexts: readonly unknown[] = Array.isArray(body.companyContexts)
    ? body.companyContexts
    : []
  const isOurs = contexts.some(
    (one) => isObject(one) && one.namespace === 'imsOrgID' && one.value === settings.orgId,
  )
  if (!isOurs) throw catalogError(403, 'The IMS Org has not been provisioned')
  const include = listOf(body.include)
  if (include.length === 0) throw refuse('include must name at least one product')
  const unknown = include.find((one) => !PRODUCTS.includes(one.toLowerCase()))
  if (unknown !== undefined) throw refuse(`The product ${unknown} is not known`)
  if (!REGULATIONS.includes(String(body.regulation))) throw refuse('The regulation is not valid')
  if (body.expandIds !== undefined && !['true', 'false'].includes(String(body.expandIds))) {
    throw refuse('expandIds must be true or false')
  }
  const users: readonly unknown[] = Array.isArray(body.users) ? body.users : []
  if (users.length < 1 || users.length > MAX_USERS) {
    throw refuse(`A request has from 1 to ${MAX_USERS} users`)
  }
  const requestId = `${platform.hex().slice(0, 15)}RX-${String(state.privacyJobs.length).padStart(3, '0')}`
  return users.flatMap((user) => {
    const { key, action, userIds } = userOf(user, state)
    const common = {
      requestId,
      key,
      regulation: String(body.regulation),
      at: now(),
      userIds,
      include,
    }
    // One job for each action.
    return action.map((each) => ({ ...common, id: platform.uuid(), action: [each], responses: [] }))
  })
}

function userOf(user: unknown, state: State) {
  const own = isObject(user) ? user : {}
  const key = text(own.key)
  if (!key) throw refuse('A user must have a key')
  const action = listOf(own.action)
  if (action.length === 0 || action.some((each) => each !== 'delete' && each !== 'access')) {
    throw refuse('The action of a user must be access or delete')
  }
  const given: readonly unknown[] = Array.isArray(own.userIDs) ? own.userIDs : []
  if (given.length < 1 || given.length > MAX_USER_IDS) {
    throw refuse(`A user has from 1 to ${MAX_USER_IDS} userIDs`)
  }
  const userIds = given.map((one): UserId => {
    const { namespace, value, type } = isObject(one) ? one : {}
    if (!text(namespace) || !text(value)) throw refuse('A userID must have a namespace and a value')
    if (!TYPES.includes(String(type))) throw refuse(`The type must be one of ${TYPES.join(', ')}`)
    const read = { namespace: String(namespace), value: String(value), type: String(type) }
    return { ...read, registered: namespaceOf(read, state) }
  })
  return { key, action, userIds }
}

/** `custom` is a namespace by its friendly name, `integrationCode` by its code, `namespaceId` by its number. */
function namespaceOf(
  { namespace, type }: Pick<UserId, 'namespace' | 'type'>,
  { platform, settings }: State,
): UserId['registered'] {
  const wanted = namespace.toLowerCase()
  const all = settings.sandboxes.flatMap((sandbox) =>
    namespaces(platform, { sandbox, orgId: settings.orgId, clientId: '', origin: '' }),
  )
  const found = all.find(({ id, code, name, custom }) => {
    switch (type) {
      case 'standard':
        return !custom && [code.toLowerCase(), name.toLowerCase()].includes(wanted)
      case 'custom':
        return custom && name.toLowerCase() === wanted
      case 'integrationCode':
        return code.toLowerCase() === wanted
      case 'namespaceId':
        return String(id) === wanted
      default:
        return false
    }
  })
  return found ? { id: found.id, code: found.code } : null
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}
