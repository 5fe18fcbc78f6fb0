/**
 * The read-only credential with which the relay compares what AEP counts with what it has sent itself.
 *
 * Promises: nothing here can hold up an event. What is missing or wrong makes the comparison unavailable and says why;
 * the credential is never used for the inlet.
 */
import { type Credentials, httpUrl, type Ims } from './destination.ts'
import { type ConfigProblem, type ReadVariable, text } from './variables.ts'

export const DEFAULT_PLATFORM_URL = 'https://platform.adobe.io'

/** `why`: names what is missing. `platformUrl` has no trailing slash. `flowId`: `null` without a dataflow. */
export type ReadAccess =
  | {
      readonly available: true
      readonly credentials: Credentials
      readonly platformUrl: string
      readonly sandbox: string
      readonly orgId: string
      readonly datasetId: string
      readonly flowId: string | null
    }
  | { readonly available: false; readonly why: string }

/** `flowId`: of the destination, since it may stand in the endpoint. */
export function readAccess(
  read: ReadVariable,
  problems: ConfigProblem[],
  { ims, flowId }: { ims: Ims; flowId: string | null },
): ReadAccess {
  const clientId = read('AEP_READ_CLIENT_ID', text)
  const clientSecret = read('AEP_READ_CLIENT_SECRET', text)
  const orgId = read('AEP_ORG_ID', text)
  const datasetId = read('AEP_DATASET_ID', text)
  const before = problems.length
  const platformUrl = (read('AEP_PLATFORM_URL', httpUrl)?.href ?? DEFAULT_PLATFORM_URL).replace(
    /\/+$/,
    '',
  )
  if (problems.length > before) return { available: false, why: 'AEP_PLATFORM_URL is wrong.' }
  if (!clientId || !clientSecret || !orgId || !datasetId) {
    const needed = { clientId, clientSecret, orgId, datasetId }
    const missing = Object.entries(NAMES).filter(([field]) => !needed[field as keyof typeof needed])
    return { available: false, why: `Not set: ${missing.map(([, name]) => name).join(', ')}.` }
  }
  const credentials = { clientId, clientSecret, ...ims }
  const sandbox = read('AEP_SANDBOX', text) ?? 'prod'
  return { available: true, credentials, platformUrl, sandbox, orgId, datasetId, flowId }
}

const NAMES = {
  clientId: 'AEP_READ_CLIENT_ID',
  clientSecret: 'AEP_READ_CLIENT_SECRET',
  orgId: 'AEP_ORG_ID',
  datasetId: 'AEP_DATASET_ID',
}
