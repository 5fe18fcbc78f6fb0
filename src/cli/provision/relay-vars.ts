/**
 * Relay vars: what the relay needs to know of what was made, as `[vars]` of wrangler.toml. Pure.
 * Never a secret: an authenticated endpoint's credential is stored with `wrangler secret put`.
 */
import namespace from '../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import { DEFAULT_SCOPES } from '../../worker/config/destination.ts'
import type { PlatformSettings } from '../lib/platform-client.ts'
import { textAt } from '../lib/platform-request.ts'
import type { Vars } from '../lib/wrangler-toml.ts'
import type { Found, Key } from './step.ts'
import type { Wanted } from './wanted.ts'

const DEFAULT_IMS_URL = 'https://ims-na1.adobelogin.com'

/** Null as long as the flow has no address. */
export function relayVars(
  wanted: Wanted,
  known: ReadonlyMap<Key, Found>,
  { orgId, imsUrl, scopes }: PlatformSettings,
): Vars | null {
  const id = (key: Key) => known.get(key)?.id ?? ''
  const endpoint = inletOf(known)
  if (endpoint === null) return null
  return {
    AEP_ENDPOINT: endpoint,
    AEP_FLOW_ID: id('flow'),
    AEP_FORMAT: wanted.format,
    ...(wanted.format === 'xdm' && {
      AEP_ORG_ID: orgId,
      AEP_DATASET_ID: id('dataset'),
      AEP_SCHEMA_ID: id('schema'),
      AEP_SCHEMA_VERSION: '1',
      AEP_TENANT: wanted.tenant,
      ...(wanted.visitorNamespace !== namespace.code && {
        AEP_VISITOR_NAMESPACE: wanted.visitorNamespace,
      }),
    }),
    ...(wanted.authenticated && {
      ...(imsUrl !== DEFAULT_IMS_URL && { AEP_IMS_URL: imsUrl }),
      ...(scopes !== DEFAULT_SCOPES && { AEP_SCOPES: scopes }),
    }),
  }
}

/** The flow's own, or that of its base connection. */
export function inletOf(known: ReadonlyMap<Key, Found>): string | null {
  const flow = textAt(known.get('flow')?.body ?? null, 'options', 'inletUrl')
  return flow ?? textAt(known.get('base')?.body ?? null, 'auth', 'params', 'inletUrl')
}

/** What is set there and is something else; what is not set is not wrong. */
export function differingVars(there: Vars, wanted: Vars): readonly string[] {
  return Object.keys(wanted).filter(
    (name) => there[name] !== undefined && there[name] !== wanted[name],
  )
}
