/**
 * Found: requests that once broke a promise, as small as they get, a file each. Every run tries them first, so that what was
 * mended stays so.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Sent } from './connection.ts'
import type { Breach } from './judge.ts'
import type { Format, Target, Variant } from './target.ts'

const FOLDER = path.join(import.meta.dirname, 'found')

type File = {
  readonly format: Format
  readonly settings: Variant
  /** What it broke. */
  readonly breach: string
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly chunks: readonly number[] | null
  /** As text, or, where it is none, in base64. */
  readonly body?: string
  readonly base64?: string
}

export function foundFor({ format, variant }: Target): { name: string; sent: Sent }[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
  return files.sort().flatMap((name) => {
    const file: File = JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8'))
    if (file.format !== format || file.settings !== variant) return []
    const { method, target, headers, chunks, body, base64 = '' } = file
    const bytes = body === undefined ? Buffer.from(base64, 'base64') : Buffer.from(body)
    return [{ name, sent: { method, target, headers, chunks, body: bytes } }]
  })
}

/** Returns where. */
export function save(
  folder: string,
  { format, variant }: Target,
  sent: Sent,
  breach: Breach,
): string {
  const { method, target, headers, body, chunks } = sent
  const isText = Buffer.from(body.toString()).equals(body)
  const held = isText ? { body: body.toString() } : { base64: body.toString('base64') }
  const file: File = {
    format,
    settings: variant,
    breach: `${breach.check}: ${breach.text}`,
    ...{ method, target, headers, chunks },
    ...held,
  }
  mkdirSync(folder, { recursive: true })
  const name = `${breach.check}-${format}-${variant}-${Date.now().toString(36)}.json`
  const where = path.join(folder, name)
  writeFileSync(where, `${JSON.stringify(file, null, 2)}\n`)
  return where
}
