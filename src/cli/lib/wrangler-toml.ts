/**
 * `wrangler.toml`: reads and writes `[vars]`, and keeps everything else of the file, comments included.
 *
 * Promises: pure; never writes a secret (the caller gives it none, and names that hold one are refused); the text it
 * returns parses to the old settings with the new variables, or it throws.
 */
import { isDeepStrictEqual } from 'node:util'
import { parse, patch, stringify } from '@decimalturn/toml-patch'

export type Vars = Readonly<Record<string, string>>

const SECRETS = ['AEP_CLIENT_ID', 'AEP_CLIENT_SECRET', 'WEBHOOK_KEYS', 'ADMIN_TOKEN']

/** `[vars]` of the top level, as text. Throws when the file is no TOML. */
export function varsOf(toml: string): Vars {
  const { vars } = parse(toml)
  if (!isTable(vars)) return {}
  return Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, String(value)]))
}

export function withVars(toml: string, vars: Vars): string {
  const secret = Object.keys(vars).find((name) => SECRETS.includes(name))
  if (secret) throw new Error(`${secret} is a secret and does not belong into wrangler.toml.`)
  const before = parse(toml)
  const wanted = { ...before, vars: { ...(isTable(before.vars) ? before.vars : {}), ...vars } }
  const written = (before.vars === undefined && besideExample(toml, vars)) || patch(toml, wanted)
  if (isDeepStrictEqual(plain(parse(written)), plain(wanted))) return written
  throw new Error('wrangler.toml could not be changed without changing more than [vars].')
}

/** The settings as they stand in the file, to be pasted. */
export function varsBlock(vars: Vars): string {
  return stringify({ vars: { ...vars } })
}

/** Below the block of comments that begins with `# [vars]`, which says what each variable means. */
function besideExample(toml: string, vars: Vars): string | null {
  const example = /^#[ \t]*\[vars\][ \t]*\r?\n(?:#.*\r?\n)*/m.exec(toml)
  if (!example) return null
  const end = example.index + example[0].length
  return `${toml.slice(0, end)}${varsBlock(vars)}${toml.slice(end)}`
}

/** Without the prototypes that tell apart how a value was written. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
