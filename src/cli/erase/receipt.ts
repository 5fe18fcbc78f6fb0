/**
 * Receipt: what was done about a privacy request, on disk: counts, times, the job at Adobe, the end of the suppression.
 *
 * Promises: no personal data, nor anything from which it could be guessed: the job's key is random, a suppression's id is
 * opaque. A write is complete on the disk, or not there at all.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { whyUnreadable } from '../lib/env-file.ts'

const Time = v.nullable(v.string())
const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const JobSchema = v.object({
  /** Set before the request leaves. */
  askedAt: v.string(),
  requestId: v.nullable(v.string()),
  /** Empty: whether Adobe has it is not known. */
  ids: v.array(v.string()),
  status: v.nullable(v.string()),
  products: v.array(v.object({ product: v.string(), status: v.string() })),
  checkedAt: Time,
})
const ReceiptSchema = v.object({
  /** Names the request at Adobe. */
  key: v.pipe(v.string(), v.regex(/^[\w-]{10,80}$/)),
  at: v.string(),
  relay: v.string(),
  /** How many were given. */
  identities: v.object({ email: Count, visitor: Count }),
  dryRun: v.boolean(),
  rounds: Count,
  matched: Count,
  erased: Count,
  receipts: Count,
  mentioned: Count,
  suppressedUntil: Time,
  /** Of the relay's suppressions; empty where it names none. */
  suppressions: v.array(v.string()),
  nothingLeft: v.nullable(v.boolean()),
  regulation: v.string(),
  /** `null`: Adobe was not asked by this command. */
  job: v.nullable(JobSchema),
})
export type Receipt = v.InferOutput<typeof ReceiptSchema>

export function fileOf(directory: string, { key }: Pick<Receipt, 'key'>): string {
  return path.join(directory, `${key}.json`)
}

/** The text says why it cannot be read. */
export function readReceipt(file: string): Receipt | string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    return `${file} ${whyUnreadable(error)}.`
  }
  try {
    const result = v.safeParse(ReceiptSchema, JSON.parse(text))
    if (result.success) return result.output
  } catch {
    // The same as one of another shape.
  }
  return `${file} is not a receipt of this command.`
}

/** Those in a directory that say that Adobe was asked. */
export function receiptsIn(directory: string): readonly Receipt[] {
  return readdirSync(directory)
    .filter((name) => /^erase-[\w-]+\.json$/.test(name))
    .map((name) => readReceipt(path.join(directory, name)))
    .filter((receipt) => typeof receipt !== 'string')
    .filter(({ job }) => job !== null)
}

export function writeReceipt(file: string, receipt: Receipt): void {
  const temporary = `${file}.tmp`
  // Of a run that was killed while it wrote.
  rmSync(temporary, { force: true })
  const descriptor = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(descriptor, `${JSON.stringify(receipt, null, 2)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
  const directory = openSync(path.dirname(file), 'r')
  try {
    fsyncSync(directory)
  } catch {
    // Some systems cannot sync a directory; the file itself is on the disk.
  } finally {
    closeSync(directory)
  }
}
