/**
 * Target: the production bundle on the real workerd under one of the settings, and the AEP that it sends to. Every line that
 * the process prints is looked at.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Admin } from '../drill/admin.ts'
import type { Bundle } from '../drill/bundle.ts'
import { Worker } from '../drill/worker.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'
import { OPT_OUT } from './model.ts'
import { FLOW_ID, Receiver, TENANT } from './receiver.ts'
import { ADMIN_TOKEN, KEYS, SOURCE } from './requests.ts'
import { CANARY } from './written.ts'

/** `plain`: what arrives is sent as it is. `guarded`: masked, opted out, and split early. */
export const VARIANTS = ['plain', 'guarded'] as const
export type Variant = (typeof VARIANTS)[number]
export type Format = 'raw' | 'xdm'

export type Target = {
  readonly format: Format
  readonly variant: Variant
  readonly port: number
  readonly receiver: Receiver
  readonly admin: Admin
  readonly worker: Worker
  /** Lines that must not be, since the last call. */
  logFaults(): string[]
  stop(): Promise<void>
}

/** Short, so that what is stored is delivered soon. */
const TIMES = {
  FORWARD_TIMEOUT_MS: '700',
  DRAIN_TIMEOUT_MS: '3000',
  RETRY_BASE_MS: '25',
  RETRY_CAP_MS: '250',
}
const MAX_RECORD_BYTES = {
  raw: { plain: 1_000_000, guarded: 2_500 },
  xdm: { plain: 9_500, guarded: 3_000 },
}

const SETTINGS: Record<Variant, Record<string, string>> = {
  plain: { REDACT: 'none' },
  guarded: {
    REDACT: 'card,iban,email,phone',
    OPT_OUT_TRAIT: OPT_OUT.setting,
    AEP_SCHEMA_EXTRAS: 'chat,contact',
  },
}

/** Faults of our own. Others are about AEP, which fails here on purpose. */
const FAULTS = ['error', 'not-encoded', 'store-failed', 'unreadable', 'configuration']
const SECRETS = [CANARY, ...Object.values(KEYS), ADMIN_TOKEN, 'key=']

export async function startTarget(
  format: Format,
  variant: Variant,
  bundle: Bundle,
  directory: string,
): Promise<Target> {
  const maxRecordBytes = MAX_RECORD_BYTES[format][variant]
  const receiver = new Receiver(format, maxRecordBytes)
  const url = await receiver.start()
  const { inletId, orgId, datasetId, schemaId } = receiver.settings
  const name = `${format}-${variant}`
  await mkdir(path.join(directory, name))
  const config = path.join(directory, `${name}.capnp`)
  const vars = {
    ...TIMES,
    ...SETTINGS[variant],
    AEP_FORMAT: format,
    AEP_ENDPOINT: `${url}/collection/${inletId}`,
    AEP_FLOW_ID: FLOW_ID,
    AEP_ORG_ID: orgId,
    AEP_DATASET_ID: datasetId,
    AEP_SCHEMA_ID: schemaId,
    AEP_TENANT: TENANT,
    MAX_EVENT_BYTES: String(maxRecordBytes),
    WEBHOOK_KEYS: `${KEYS.plain},${SOURCE}:${KEYS.named}`,
    ADMIN_TOKEN,
  }
  const storage = path.join(directory, name)
  await writeFile(
    config,
    workerdConfig({ 'index.js': bundle.script }, bundle.compatibilityDate, storage, vars),
  )
  const faults: string[] = []
  const worker = new Worker(
    workerdBinary(),
    config,
    path.join(directory, `${name}.log`),
    (line) => {
      const fault = faultOf(line)
      if (fault !== null && faults.length < 100) faults.push(fault)
    },
  )
  worker.start()
  const at = await worker.url()
  return {
    format,
    variant,
    port: Number(new URL(at).port),
    receiver,
    worker,
    admin: new Admin(at, ADMIN_TOKEN),
    logFaults: () => faults.splice(0),
    stop: async () => {
      receiver.stop()
      await worker.close()
    },
  }
}

const EVENT = /^\{"event":"([a-z-]+)"/

/** `null`: a line as it should be. */
function faultOf(line: string): string | null {
  if (SECRETS.some((secret) => line.includes(secret)))
    return `repeats what it must not: ${line.slice(0, 400)}`
  const event = EVENT.exec(line)?.[1]
  if (event === undefined) return `is none of the relay's: ${line.slice(0, 400)}`
  return FAULTS.includes(event) ? `is of a fault: ${line.slice(0, 400)}` : null
}
