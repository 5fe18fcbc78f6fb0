/**
 * `wrangler.toml`: reads and writes the variables of one environment, and keeps everything else of the file: comments,
 * order, line ends.
 *
 * Promises: pure; never writes a secret (the caller gives it none, and names that hold one are refused); the text it
 * returns parses to the old settings with the new variables, or it throws. Nothing of another environment is touched.
 *
 * A variable is written where a person would write it: in its place if it is set, in that of its commented example if there
 * is one (below it, where the comment holds somebody's own value), else beside its like, or at the end of its table.
 */
import { isDeepStrictEqual } from 'node:util'
import { parse, patch } from '@decimalturn/toml-patch'
import { SECRETS } from '../../worker/config/variables.ts'
import { isObject } from '../../worker/lib/json.ts'

export type Vars = Readonly<Record<string, string>>

type Table = Readonly<Record<string, unknown>>

const tableName = (env: string | null) => (env === null ? 'vars' : `env.${env}.vars`)

/** As it is called in messages. */
export const placeOf = (env: string | null) => `[${tableName(env)}]`

/** `env`: a named environment; `null`: the top level. As text. Throws when the file is no TOML. */
export function varsOf(toml: string, env: string | null = null): Vars {
  const { vars } = environmentOf(parsed(toml), env)
  if (!isTable(vars)) return {}
  return Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, String(value)]))
}

export function withVars(toml: string, vars: Vars, env: string | null = null): string {
  const secret = Object.keys(vars).find((name) => SECRETS.includes(name))
  // Git tracks the configuration.
  if (secret) throw new Error(`${secret} is a secret: it does not belong in the configuration.`)
  const { before, blocks } = env === null ? { before: toml, blocks: '' } : prepared(toml, env)
  const wanted = wantedOf(parsed(`${before}${blocks}`), vars, env)
  const written = inPlace(before, blocks, vars, env)
  if (written !== null && isDeepStrictEqual(read(written), wanted)) return written
  // A way of writing that lines do not show, such as an inline table.
  const patched = withLineEnds(patch(unix(`${before}${blocks}`), wanted), endOfLine(toml))
  if (isDeepStrictEqual(read(patched), wanted)) return patched
  throw new Error(
    `The configuration could not be changed without changing more than ${placeOf(env)}.`,
  )
}

/** The settings as they stand in the file, to be pasted. */
export function varsBlock(vars: Vars, env: string | null = null): string {
  return `${[placeOf(env), ...Object.entries(vars).map(assignment)].join('\n')}\n`
}

/** Settings of the relay that stand in a table where wrangler does not look for them. */
export function misplacedSettings(
  toml: string,
  names: ReadonlySet<string>,
): readonly { readonly name: string; readonly table: string }[] {
  const found: { name: string; table: string }[] = []
  const look = (value: unknown, path: readonly string[]) => {
    if (Array.isArray(value)) for (const one of value) look(one, path)
    if (!isTable(value)) return
    for (const [key, inner] of Object.entries(value)) {
      const isVars =
        key === 'vars' && (path.length === 0 || (path[0] === 'env' && path.length === 2))
      if (isVars) continue
      if (names.has(key)) found.push({ name: key, table: path.join('.') || 'the top level' })
      else look(inner, [...path, key])
    }
  }
  look(parsed(toml), [])
  return found
}

function wantedOf(before: Table, vars: Vars, env: string | null): Table {
  const copy = plain(before) as Record<string, unknown>
  const place = environmentOf(copy, env) as Record<string, unknown>
  place.vars = { ...(isTable(place.vars) ? place.vars : {}), ...vars }
  return copy
}

function environmentOf(config: Table, env: string | null): Table {
  if (env === null) return config
  const environments = config.env
  const own = isTable(environments) ? environments[env] : undefined
  return isTable(own) ? own : {}
}

// Lines

/** `null`: lines do not show where they belong. */
function inPlace(toml: string, blocks: string, vars: Vars, env: string | null): string | null {
  const end = endOfLine(toml)
  const lines = toml.split('\n')
  let table = tableIn(lines, env)
  if (table === null) {
    if (isTable(environmentOf(parsed(toml), env).vars)) return null
    const header = env === null ? lines.findIndex((line) => COMMENTED_HEADER.test(line)) : -1
    if (header >= 0) lines.splice(header + 1, 0, `${placeOf(env)}${end}`)
    else appendTable(lines, env, end)
  }
  for (const [name, value] of Object.entries(vars)) {
    table = tableIn(lines, env)
    if (table === null || !setLine(lines, table, name, value, end)) return null
  }
  return blocks === '' ? lines.join('\n') : `${lines.join('\n')}${blocks}`
}

type Range = { readonly start: number; readonly end: number }

const HEADER = /^[ \t]*\[\[?[^[\]]+\]\]?[ \t]*(?:#.*)?\r?$/

/** The lines of the table, without its header. */
function tableIn(lines: readonly string[], env: string | null): Range | null {
  const name = tableName(env).replaceAll('.', '[ \t]*\\.[ \t]*').replaceAll('-', '\\-')
  const header = new RegExp(`^[ \\t]*\\[[ \\t]*${name}[ \\t]*\\][ \\t]*(?:#.*)?\\r?$`)
  const at = lines.findIndex((line) => header.test(line))
  if (at < 0) return null
  const next = lines.findIndex((line, index) => index > at && HEADER.test(line))
  return { start: at + 1, end: next < 0 ? lines.length : next }
}

const COMMENTED_HEADER = /^#[ \t]*\[vars\][ \t]*\r?$/

const ASSIGNED =
  /^([ \t]*"?([A-Za-z0-9_-]+)"?[ \t]*=[ \t]*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"'[{]+)([ \t]*(?:#.*)?)(\r?)$/
const EXAMPLE = /^#[ \t]?([A-Z][A-Z0-9_]*)[ \t]*=/

/** What examples have in the place of a value; none of it occurs in a real one. */
export const PLACEHOLDER =
  /change-?me|placeholder|\byour-|\bexample\.(com|org|net)\b|\.example\b|[{}<>]|(INLET|FLOW|DATASET|SCHEMA)_ID\b|\b(TENANT|NAME)\b|^0123456789ABCDEF@|^[0-]+$|\/schemas\/ID$/

/** Whether a commented setting shows what to write; another holds a value that somebody wants to keep. */
function isExample(line: string): boolean {
  const [, value] = /=[ \t]*"([^"]*)"[ \t]*\r?$/.exec(line) ?? []
  return value !== undefined && (PLACEHOLDER.test(value) || /^([a-z]*|\d)$/.test(value))
}

/** False: it is set in a way that one line does not show. */
function setLine(lines: string[], table: Range, name: string, value: string, end: string): boolean {
  const within = lines.slice(table.start, table.end)
  const nameOf = (line: string) => /^[ \t]*"?([A-Za-z0-9_-]+)"?[ \t]*=/.exec(line)?.[1]
  const at = within.findIndex((line) => nameOf(line) === name)
  if (at >= 0) {
    const [, before, , old, after, own] = ASSIGNED.exec(within[at] ?? '') ?? []
    if (before === undefined) return false
    const text = old === JSON.stringify(value) ? old : JSON.stringify(value)
    lines[table.start + at] = `${before}${text}${after}${own}`
    return true
  }
  const example = within.findLastIndex((line) => EXAMPLE.exec(line)?.[1] === name)
  if (example >= 0 && isExample(within[example] ?? '')) {
    lines[table.start + example] = `${assignment([name, value])}${end}`
    return true
  }
  const prefix = `${name.split('_')[0]}_`
  const isLike = (other: string | undefined) => other?.startsWith(prefix) ?? false
  const last = (isIt: (line: string) => boolean) => within.findLastIndex(isIt)
  const places = [
    example,
    last((line) => isLike(nameOf(line))),
    last((line) => isLike(EXAMPLE.exec(line)?.[1])),
    last((line) => nameOf(line) !== undefined),
  ]
  const found = places.find((place) => place >= 0) ?? -1
  lines.splice(table.start + found + 1, 0, `${assignment([name, value])}${end}`)
  return true
}

function appendTable(lines: string[], env: string | null, end: string): void {
  while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop()
  if (lines.length > 0) {
    lines[lines.length - 1] = `${lines.at(-1)?.replace(/\r$/, '')}${end}`
    lines.push(end)
  }
  lines.push(`${placeOf(env)}${end}`, '')
}

function assignment([name, value]: readonly [string, string]): string {
  return `${name} = ${JSON.stringify(value)}`
}

// A named environment

/**
 * What a named environment needs beside its variables, and inherits not: an outbox of its own, the limit of sign-ins, and
 * routes that are not production's. What it has already stays. `before`: the file with `[env.NAME.vars]`.
 */
function prepared(toml: string, env: string): { before: string; blocks: string } {
  if (!/^[A-Za-z0-9_-]+$/.test(env)) {
    throw new Error('The name of an environment takes letters, digits, - and _.')
  }
  const config = parsed(toml)
  const isNew = !isTable(config.env) || config.env[env] === undefined
  const own = environmentOf(config, env)
  const lines = [
    ...(isNew
      ? ['', `[env.${env}]`, '# Not those of production.', 'routes = []', 'workers_dev = true']
      : []),
    ...(isTable(own.vars) ? [] : ['', placeOf(env)]),
  ]
  // Workers of one account that share it share the count.
  let limit = Math.max(
    0,
    ...[...toml.matchAll(/^#?\s*namespace_id\s*=\s*"(\d+)"/gm)].map(([, id]) => Number(id)),
  )
  const blocks = BINDINGS.flatMap((name) => {
    const there = config[name]
    if (there === undefined || own[name] !== undefined) return []
    const path = `env.${env}.${name}`
    if (name === 'durable_objects' && isTable(there))
      return blocksOf(`${path}.bindings`, there.bindings)
    if (name !== 'ratelimits' || !Array.isArray(there)) return blocksOf(path, there)
    const limits = there.map((each) => {
      limit += 1
      return { ...each, namespace_id: String(limit) }
    })
    return blocksOf(path, limits)
  })
  const end = endOfLine(toml)
  const text = (all: readonly string[]) => all.map((line) => `${line}${end}\n`).join('')
  const body = lines.length + blocks.length === 0 ? toml : `${toml.trimEnd()}${end}\n`
  return { before: `${body}${text(lines)}`, blocks: text(blocks) }
}

/** What a named environment does not inherit, in the order in which it is written. */
const BINDINGS = ['durable_objects', 'version_metadata', 'ratelimits']

function blocksOf(name: string, values: unknown): string[] {
  if (Array.isArray(values)) return values.flatMap((each) => block(`[[${name}]]`, each))
  return block(`[${name}]`, values)
}

function block(header: string, values: unknown): string[] {
  const entries = isTable(values) ? Object.entries(values) : []
  return ['', header, ...entries.map(([key, value]) => `${key} = ${inline(value)}`)]
}

function inline(value: unknown): string {
  if (!isTable(value)) return JSON.stringify(value)
  const entries = Object.entries(value).map(([key, inner]) => `${key} = ${inline(inner)}`)
  return `{ ${entries.join(', ')} }`
}

// Text

function endOfLine(toml: string): '' | '\r' {
  return toml.includes('\r\n') ? '\r' : ''
}

const unix = (toml: string) => toml.replaceAll('\r\n', '\n')

function withLineEnds(toml: string, end: '' | '\r'): string {
  return end === '' ? toml : unix(toml).replaceAll('\n', '\r\n')
}

function parsed(toml: string): Table {
  return parse(unix(toml).replace(/^\ufeff/, '')) as Table
}

function read(toml: string): unknown {
  return plain(parsed(toml))
}

/** Without the prototypes that tell apart how a value was written. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function isTable(value: unknown): value is Table {
  return isObject(value)
}
