/**
 * Relay vars: what the relay needs to know of what was made, as variables of wrangler.toml; and the address of a
 * dataflow, which Adobe shows some seconds after it was made, or which somebody has copied out of its interface.
 * Never a secret: an authenticated endpoint's credential is stored with `wrangler secret put`.
 */
import namespace from '../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import type { SchemaExtra } from '../../worker/chatlio/fields.ts'
import {
  DEFAULT_IMS_URL,
  DEFAULT_SCOPES,
  FLOW_ID_PARAMETER,
  isSafe,
} from '../../worker/config/destination.ts'
import type { PlatformSettings, Send } from '../lib/platform-client.ts'
import { textAt } from '../lib/platform-request.ts'
import type { Vars } from '../lib/wrangler-toml.ts'
import { byFlowServiceId } from './lookup.ts'
import type { Found, Key } from './step.ts'
import type { Wanted } from './wanted.ts'

/**
 * Null as long as the flow has no address. `there`: what is set already. `extras`: what the schema has beyond the first
 * version of the field group; nothing of it may be sent before, since AEP refuses what its schema lacks.
 */
export function relayVars(
  wanted: Wanted,
  known: ReadonlyMap<Key, Found>,
  settings: PlatformSettings,
  there: Vars,
  extras: readonly SchemaExtra[],
): Vars | null {
  const { orgId, imsUrl, scopes, sandbox, clientId } = settings
  const id = (key: Key) => known.get(key)?.id ?? ''
  const endpoint = inletOf(known)
  if (endpoint === null) return null
  const comparesCounts = Boolean(there.AEP_READ_CLIENT_ID)
  return {
    AEP_ENDPOINT: endpoint,
    AEP_FLOW_ID: id('flow'),
    AEP_FORMAT: wanted.format,
    ...((wanted.format === 'xdm' || comparesCounts) && {
      AEP_ORG_ID: orgId,
      AEP_DATASET_ID: id('dataset'),
    }),
    ...(sandbox !== 'prod' && { AEP_SANDBOX: sandbox }),
    ...(wanted.format === 'xdm' && {
      AEP_SCHEMA_ID: id('schema'),
      AEP_SCHEMA_VERSION: '1',
      AEP_TENANT: wanted.tenant,
      ...(extras.length > 0 && { AEP_SCHEMA_EXTRAS: extras.join(',') }),
      ...(wanted.visitorNamespace !== namespace.code && {
        AEP_VISITOR_NAMESPACE: wanted.visitorNamespace,
      }),
    }),
    ...(wanted.authenticated && {
      AEP_CLIENT_ID: there.AEP_CLIENT_ID || clientId,
      ...(imsUrl !== DEFAULT_IMS_URL && { AEP_IMS_URL: imsUrl }),
      ...(scopes !== DEFAULT_SCOPES && { AEP_SCOPES: scopes }),
    }),
  }
}

/** The flow's own, or that of its base connection. */
function inletOf(known: ReadonlyMap<Key, Found>): string | null {
  const flow = textAt(known.get('flow')?.body ?? null, 'options', 'inletUrl')
  return flow ?? textAt(known.get('base')?.body ?? null, 'auth', 'params', 'inletUrl')
}

/** The address stands in the base connection where a flow does not show it. */
export async function withInlet(
  send: Send,
  known: ReadonlyMap<Key, Found>,
): Promise<ReadonlyMap<Key, Found>> {
  const base = known.get('base')
  if (inletOf(known) !== null || !base) return known
  const body = await byFlowServiceId(send, 'connections', base.id)
  return new Map(known).set('base', { id: base.id, body })
}

/** What the relay takes them for: the flow id may stand in the address, the tenant may be written in other ways. */
export function asMeant(vars: Vars): Vars {
  const set = Object.entries(vars).filter(([, value]) => value.trim() !== '')
  const there: Record<string, string> = Object.fromEntries(
    set.map(([name, value]) => [name, value.trim()]),
  )
  const read = readEndpoint(there.AEP_ENDPOINT ?? '', there.AEP_FLOW_ID ?? null)
  return {
    ...there,
    ...('endpoint' in read && { AEP_ENDPOINT: read.endpoint }),
    ...('endpoint' in read && read.flowId !== null && { AEP_FLOW_ID: read.flowId }),
    ...(there.AEP_SCHEMA_EXTRAS && {
      AEP_SCHEMA_EXTRAS: listed(there.AEP_SCHEMA_EXTRAS).join(','),
    }),
    ...(there.AEP_TENANT && { AEP_TENANT: there.AEP_TENANT.replace(/^_+/, '').toLowerCase() }),
  }
}

/** In one order. */
export function listed(list: string): readonly string[] {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((one) => one !== '')
    .sort()
}

/** What a finished run leaves in the schema. */
export function extrasOf({ contact }: Wanted): readonly SchemaExtra[] {
  return contact ? ['chat', 'contact'] : ['chat']
}

/** What is set there and is something else; what is not set is not wrong. */
export function differingVars(there: Vars, wanted: Vars): readonly string[] {
  return Object.keys(wanted).filter(
    (name) => there[name] !== undefined && there[name] !== wanted[name],
  )
}

const POLL_MS = 2_000
const POLLS = 90

type Enabled = { readonly known: ReadonlyMap<Key, Found> } | { readonly state: string }

/**
 * Waits until Adobe has enabled the flow, which it does some seconds after it was made, and reads its address. Bounded:
 * after three minutes the run ends, and the next one continues here.
 */
export async function untilEnabled(
  send: Send,
  known: ReadonlyMap<Key, Found>,
  sleep: (ms: number) => Promise<void>,
): Promise<Enabled> {
  const id = known.get('flow')?.id ?? ''
  let state = 'unknown'
  for (let poll = 0; poll < POLLS; poll += 1) {
    if (poll > 0) await sleep(POLL_MS)
    const body = await byFlowServiceId(send, 'flows', id)
    state = textAt(body, 'state') ?? 'unknown'
    if (state !== 'enabled') continue
    const seen = await withInlet(send, new Map(known).set('flow', { id, body }))
    if (inletOf(seen) !== null) return { known: seen }
  }
  return { state }
}

/** With or without its query. */
export function isSameInlet(one: string, other: string): boolean {
  const bare = (url: string) => url.replace(/\?.*$/, '').replace(/\/+$/, '')
  return bare(one) === bare(other)
}

type Endpoint = { readonly endpoint: string; readonly flowId: string | null }

/** The address that Adobe's interface shows, and the flow id that may be part of it. What is wrong never repeats it. */
export function readEndpoint(
  text: string,
  flowId: string | null,
): Endpoint | { readonly wrong: string } {
  if (/[{}]/.test(text)) return { wrong: '--endpoint still has a {PLACEHOLDER}.' }
  if (!URL.canParse(text)) return { wrong: '--endpoint is no URL.' }
  const url = new URL(text)
  if (!isSafe(url) || url.username !== '')
    return { wrong: '--endpoint is an https URL (http for loopback only).' }
  if (!/^\/collection\/[^/]+$/.test(url.pathname)) {
    return { wrong: '--endpoint is of the form https://dcs.adobedc.net/collection/INLET_ID.' }
  }
  const inUrl = url.searchParams.get(FLOW_ID_PARAMETER)
  if (flowId !== null && inUrl !== null && flowId !== inUrl) {
    return { wrong: `--flow-id is not the ${FLOW_ID_PARAMETER} in --endpoint.` }
  }
  const id = (flowId ?? inUrl)?.trim() || null
  if (id !== null && !/^[\x21-\x7e]+$/.test(id))
    return { wrong: '--flow-id is an id without spaces.' }
  url.searchParams.delete(FLOW_ID_PARAMETER)
  return { endpoint: url.href, flowId: id }
}
