/**
 * Inlets: takes records at the addresses that the Flow Service gave out. A raw record goes through the flow's
 * mapping set; the result, or an XDM record as it is, is validated against the schema of its dataset and
 * then lands there.
 *
 * As with Adobe, an invalid record is accepted all the same and kept out of the dataset: `lake.failed` has
 * it, with reasons. Strict mode, and `syncValidation=true` for XDM, refuse it at once.
 */
import type { Violation } from '../problem.ts'
import type { Settings } from '../settings.ts'
import {
  type Destination,
  type Envelope,
  isObject,
  type JsonObject,
  type Landing,
  openRaw,
  openRawInBatch,
  openXdm,
} from '../streaming/message.ts'
import { isProfileEnabled } from './catalog.ts'
import { dataTypeOf, partsOf } from './flow/flow-checks.ts'
import { enableDue } from './flow/flows.ts'
import { mappingsOf, versionOf } from './mapping/mapping-set.ts'
import { applyRows } from './mapping/rows.ts'
import { identitiesOf } from './profile-identities.ts'
import { resolve, type Schema } from './registry/resolve.ts'
import { findTenant } from './registry/resources.ts'
import { validate } from './registry/validate.ts'
import type { Resource, Store } from './store.ts'

type Inlet = {
  readonly id: string
  readonly kind: 'raw' | 'xdm'
  readonly auth: boolean
  readonly owner: Resource
}

type Reception = { readonly settings: Settings; readonly destination: Destination }

/** Null for an address that no connection has. */
export function receptionAt(path: string, store: Store, settings: Settings): Reception | null {
  const id = /^\/collection\/(?:batch\/)?([^/]+)\/?$/.exec(path)?.[1]
  const inlet = id ? inletOf(store, id) : null
  if (!inlet) return null
  enableDue(store)
  const { kind: mode, auth } = inlet
  const own = { ...settings, inletId: inlet.id, mode, auth, flowId: null }
  const open: Destination['open'] =
    mode === 'raw'
      ? (message, flowId, batch) => openMapped(message, flowId, batch, own, inlet, store)
      : (message) => openValidated(message, own, inlet, store)
  return { settings: own, destination: { open } }
}

function inletOf(store: Store, id: string): Inlet | null {
  const base = store.all('connections').find((one) => one.hidden.inletId === id)
  if (base) {
    const auth = isObject(base.body.auth) ? base.body.auth : {}
    const params = isObject(auth.params) ? auth.params : {}
    return { id, kind: dataTypeOf(base), auth: params.authenticationRequired === true, owner: base }
  }
  const source = store.all('sourceConnections').find((one) => one.hidden.inletId === id)
  return source ? { id, kind: 'raw', auth: false, owner: source } : null
}

/** A flow that takes records from this inlet now. */
function flowOf(store: Store, inlet: Inlet, id: string | null): Resource | undefined {
  const { owner } = inlet
  const flow = store.find('flows', owner.sandbox, id ?? '')
  if (flow?.body.state !== 'enabled') return undefined
  const { source, base } = partsOf(store, flow.body, owner.sandbox)
  return source?.id === owner.id || base?.id === owner.id ? flow : undefined
}

function openMapped(
  message: unknown,
  flowId: string | null,
  batch: boolean,
  settings: Settings,
  inlet: Inlet,
  store: Store,
): Envelope {
  const flow = flowOf(store, inlet, flowId)
  const opened = batch
    ? openRawInBatch(message, settings)
    : openRaw(message, flow ? flow.id : null, settings)
  if (!opened.ok || !flow) return opened
  const { dataSet, mapping } = partsOf(store, flow.body, flow.sandbox)
  const set = store.find('mappingSets', flow.sandbox, mapping?.id ?? '')
  const version = set && mapping ? versionOf(set, mapping.version) : undefined
  if (!dataSet || !version) return { ...opened, landing: lost(opened.record) }
  const schema = schemaOf(store, dataSet)
  const { data, errors } = applyRows(mappingsOf(version), opened.record, schema, store.now())
  const warnings = errors.map(({ destination, exception }) => `${destination}: ${exception}`)
  return { ...opened, landing: landing(store, dataSet, data, opened.record, warnings) }
}

function openValidated(message: unknown, settings: Settings, inlet: Inlet, store: Store): Envelope {
  const header = isObject(message) && isObject(message.header) ? message.header : {}
  const dataSet = store.find('dataSets', inlet.owner.sandbox, String(header.datasetId))
  const ref = isObject(dataSet?.body.schemaRef) ? dataSet.body.schemaRef : {}
  // No dataset has an empty id, so that of a dataset which is not there is refused.
  const own = { ...settings, datasetId: dataSet?.id ?? '', schemaId: String(ref.id) }
  const opened = openXdm(message, own)
  if (!opened.ok || !dataSet) return opened
  if (opened.flowId !== null) {
    const flow = flowOf(store, inlet, opened.flowId)
    const target = flow ? partsOf(store, flow.body, flow.sandbox).dataSet : undefined
    if (target?.id !== dataSet.id) {
      const where = `inletId: [${inlet.id}] imsOrgId: [${settings.orgId}]`
      return {
        ok: false,
        message: `${where} Message has an absent or wrong flow id in the header`,
      }
    }
  }
  return { ...opened, landing: landing(store, dataSet, opened.record, opened.record, []) }
}

function schemaOf(store: Store, { body, sandbox }: Resource): Schema {
  const id = isObject(body.schemaRef) ? String(body.schemaRef.id) : ''
  const schema = findTenant(store, sandbox, 'schemas', id)
  return schema ? resolve(store, sandbox, schema.body) : {}
}

function landing(
  store: Store,
  dataSet: Resource,
  record: JsonObject,
  source: JsonObject,
  warnings: readonly string[],
): Landing {
  const violations: readonly Violation[] = validate(schemaOf(store, dataSet), record)
  const profile = isProfileEnabled(dataSet.body) ? identitiesOf(store, dataSet, record) : null
  return { datasetId: dataSet.id, record, source, violations, warnings, profile }
}

/** The dataset or the mapping of the flow has been deleted. */
function lost(source: JsonObject): Landing {
  const violation = {
    pointer: '',
    keyword: 'flow',
    message: 'The flow lacks its dataset or mapping',
  }
  return {
    datasetId: null,
    record: source,
    source,
    violations: [violation],
    warnings: [],
    profile: null,
  }
}
