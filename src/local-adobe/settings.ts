/**
 * Settings: the organization, its credential, and the fixed inlet that needs no dataflow.
 * Every setting has a default that works for a first try, and can change while the server runs.
 */
import * as v from 'valibot'
import { DialectSchema } from './answer.ts'

const Text = v.pipe(v.string(), v.nonEmpty())

export const SettingsSchema = v.strictObject({
  /** Kind of the streaming connection: raw records for a mapping, or finished XDM. */
  mode: v.picklist(['raw', 'xdm']),
  /** Refuse at once the events that AEP would accept and drop later: see `violations.ts`. */
  strict: v.boolean(),
  inletId: Text,
  /** The one dataflow there is; null takes any flow id. */
  flowId: v.nullable(Text),
  orgId: Text,
  datasetId: Text,
  schemaId: Text,
  /** Tenant namespace without its underscore. */
  tenant: Text,
  /** An authenticated inlet: every request needs a token of `/ims/token/v3`. */
  auth: v.boolean(),
  /** Adobe's pages disagree about the status for a token that is missing, expired or revoked. */
  authRefusal: v.picklist([401, 403]),
  clientId: Text,
  clientSecret: Text,
  /** A second credential, which may only read. */
  readClientId: Text,
  readClientSecret: Text,
  tokenLifetimeS: v.pipe(v.number(), v.minValue(0)),
  dialect: DialectSchema,
  /** Delay of every answer without a `delayMs`. */
  latencyMs: v.pipe(v.number(), v.minValue(0)),
  /** Raw mode: the mapping's identities, namespace to dotted source paths, the first non-empty wins. */
  identity: v.record(Text, v.union([Text, v.array(Text)])),
  /** Namespaces that exist in the organisation; Profile refuses identities of any other. */
  namespaces: v.array(Text),
  /** Sandboxes that exist. */
  sandboxes: v.array(Text),
  /** Refuse Platform requests without `x-sandbox-name` instead of taking `prod` for it. */
  requireSandbox: v.boolean(),
  /** How long a new dataflow is `initializing` before it is `enabled`. */
  flowEnableMs: v.pipe(v.number(), v.minValue(0)),
  /** How long a privacy job is `submitted`. */
  privacyStartMs: v.pipe(v.number(), v.minValue(0)),
  /** After which a privacy job is complete. */
  privacyJobMs: v.pipe(v.number(), v.minValue(0)),
  /** How long after the end of its quarter of an hour a batch is done. */
  batchDelayMs: v.pipe(v.number(), v.minValue(0)),
  /** The most entries of a list of runs or batches, whatever `limit` asks for. */
  pageSize: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Rows in one file of a failed batch. */
  failedFileRows: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** The values of a failed row: JSON as text, or objects. Both are published; which one a flow writes is not. */
  failedForm: v.picklist(['text', 'object']),
  /** What a failed row of a raw flow holds: what was sent, what the mapping made of it, or a text that was cut. */
  failedBody: v.picklist(['sent', 'mapped', 'cut']),
})
export type Settings = v.InferOutput<typeof SettingsSchema>

export const DEFAULT_SETTINGS: Settings = {
  mode: 'raw',
  strict: false,
  inletId: 'local-inlet',
  flowId: null,
  orgId: 'LOCAL@AdobeOrg',
  datasetId: 'local-dataset',
  schemaId: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  tenant: 'localtenant',
  auth: false,
  authRefusal: 401,
  clientId: 'local-client',
  clientSecret: 'local-client-secret',
  readClientId: 'local-reader',
  readClientSecret: 'local-reader-secret',
  tokenLifetimeS: 86_399,
  dialect: 'A',
  latencyMs: 0,
  // Adobe's sample mapping has `visitor.UUID` and `visitor.email`; a transcript and an old offline
  // message have their address elsewhere.
  identity: {
    ChatlioVisitor: 'visitor.UUID',
    Email: ['visitor.email', 'visitorEmail', 'email'],
  },
  namespaces: ['ChatlioVisitor', 'Email', 'Phone', 'ECID'],
  sandboxes: ['prod', 'stage', 'dev'],
  requireSandbox: false,
  flowEnableMs: 2_000,
  privacyStartMs: 3_600_000,
  privacyJobMs: 15 * 86_400_000,
  batchDelayMs: 300_000,
  pageSize: 100,
  failedFileRows: 1_000,
  failedForm: 'object',
  failedBody: 'sent',
}
