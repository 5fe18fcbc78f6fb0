/**
 * No regular expression of the Worker takes a long time over a text that somebody wrote for that: each is analyzed, not run.
 * One whose time grows faster than its text stands here, with what bounds the text. Not seen: those that `new RegExp` makes of
 * other texts than the patterns of the schema.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { analyse } from 'scslre'
import { parseAst } from 'vite'
import { expect, it } from 'vitest'
import { PATTERNS } from '../../src/worker/aep/schema/patterns.ts'

const WORKER = path.join(import.meta.dirname, '../../src/worker')

const BOUNDED = new Map([
  [String.raw`/\/+$/`, 'a URL of the configuration'],
  [String.raw`/[^\s\p{Cf}@"'<>\\,;:(){}[\]]+$/u`, 'the MAX_LOCAL characters before an @'],
  [
    String.raw`/^\s*(?:(?:application|text)\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|text\/plain)?\s*(?:;|$)/i`,
    'a header, which Cloudflare bounds',
  ],
])

type Literal = { pattern: string; flags: string }

function literalsIn(file: string): Literal[] {
  const found: Literal[] = []
  JSON.stringify(
    parseAst(readFileSync(path.join(WORKER, file), 'utf8'), { lang: langOf(file) }),
    (key, value) => {
      if (key === 'regex') found.push(value)
      return value
    },
  )
  return found
}

const langOf = (file: string) => (file.endsWith('x') ? 'tsx' : 'ts')

/** The expression itself, where its time grows faster than its text; nothing otherwise. */
function slow({ pattern: source, flags }: Literal): string[] {
  const { reports } = analyse({ source, flags })
  return reports.length > 0 ? [`/${source}/${flags}`] : []
}

const written = globSync('**/*.{ts,tsx}', { cwd: WORKER }).flatMap(literalsIn)
const patterns = Object.values(PATTERNS).map((pattern) => ({ pattern, flags: '' }))

it('those that are written down take time in proportion to the text, or their text is bounded', () => {
  expect(written.length).toBeGreaterThan(100)
  expect(new Set([...written, ...patterns].flatMap(slow))).toEqual(new Set(BOUNDED.keys()))
})

it('one that backtracks is seen', () => {
  expect(slow({ pattern: '^(a+)+$', flags: '' })).toEqual(['/^(a+)+$/'])
  expect(slow({ pattern: 'a+b', flags: 'g' })).toEqual(['/a+b/g'])
})
