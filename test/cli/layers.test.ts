/**
 * Imports point one way. Read from the sources, so that a wrong one fails here and not in a review.
 * Not seen: an `import()` whose path is made while running; `src/cli/run.mjs` has the only one.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

/**
 * The rooms of `src/worker` from the top: each imports from its own line and the lines below. A room is a folder, or a file
 * beside the folders.
 */
const LAYERS = [
  ['index.ts', 'app.ts', 'cron.ts'],
  ['admin'],
  // One isolate: a request, and what is reported after its answer.
  ['http', 'services.ts', 'relay.ts', 'breaker.ts', 'report.ts'],
  // The rules of alerts read causes and holds, and the outbox's status reads the rules.
  ['alerts', 'outbox'],
  ['drift', 'sender.ts'],
  ['aep'],
  // Which extras a schema may have is said by the list of fields.
  ['config'],
  ['chatlio'],
  ['lib'],
  ['log.ts', 'limits.ts'],
]

/** Each program, and the ones that it may import from. */
const PROGRAMS: Record<string, readonly string[]> = {
  worker: [],
  'local-adobe': ['worker'],
  cli: ['worker', 'local-adobe'],
}

const ROOT = path.join(import.meta.dirname, '../..')
const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm

type Import = { to: string; isType: boolean }

/** Paths are relative to `src`; those of packages stay as they are written. */
function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(ROOT, 'src', file), 'utf8')
  return [...text.matchAll(IMPORT)].map(([, type, from, dynamic]) => {
    const name = String(from ?? dynamic)
    const to = name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name
    return { to, isType: type !== undefined }
  })
}

const graph = new Map(
  globSync('**/*.{ts,tsx,mjs,js}', { cwd: path.join(ROOT, 'src') })
    .filter((file) => !file.endsWith('.d.ts'))
    .map((file) => [file, importsOf(file)]),
)
const edges = [...graph].flatMap(([file, imports]) =>
  imports.filter(({ to }) => graph.has(to)).map(({ to }) => ({ file, to })),
)
const program = (file: string) => String(file.split('/')[0])
const layerOf = (file: string) =>
  LAYERS.findIndex((rooms) => rooms.includes(String(file.split('/')[1])))
const shown = ({ file, to }: { file: string; to: string }) => `${file} imports ${to}`

/** The files that one file runs with, itself among them. */
function reached(from: string, seen = new Set<string>()): Set<string> {
  if (seen.has(from)) return seen
  seen.add(from)
  for (const { to, isType } of graph.get(from) ?? []) if (!isType) reached(to, seen)
  return seen
}

/** The first circle that is found, as a path. Types are gone when the program runs, and may refer to each other. */
function circle(): string[] {
  const done = new Set<string>()
  const visit = (file: string, above: readonly string[]): string[] => {
    if (above.includes(file)) return [...above.slice(above.indexOf(file)), file]
    if (done.has(file)) return []
    done.add(file)
    for (const { to, isType } of graph.get(file) ?? []) {
      const found = isType ? [] : visit(to, [...above, file])
      if (found.length > 0) return found
    }
    return []
  }
  for (const file of graph.keys()) {
    const found = visit(file, [])
    if (found.length > 0) return found
  }
  return []
}

describe('imports', () => {
  it('are found', () => expect(edges.length).toBeGreaterThan(graph.size))

  it('of the Worker point to the own layer or to one below', () => {
    const worker = edges.filter(({ file }) => program(file) === 'worker')
    expect(worker.filter(({ file, to }) => layerOf(file) > layerOf(to)).map(shown)).toEqual([])
  })

  it('know every room', () => {
    const rooms = [...graph.keys()].filter((file) => program(file) === 'worker')
    expect(rooms.filter((file) => layerOf(file) === -1)).toEqual([])
    const empty = LAYERS.flat().filter((room) => !rooms.some((file) => file.split('/')[1] === room))
    expect(empty).toEqual([])
  })

  it('never lead from the Worker to the commands or to the local Adobe', () => {
    const wrong = edges.filter(
      ({ file, to }) =>
        program(file) !== program(to) && !PROGRAMS[program(file)]?.includes(program(to)),
    )
    expect(wrong.map(shown)).toEqual([])
  })

  it('of the commands and the local Adobe reach only what runs without Cloudflare', () => {
    const node = [...graph.keys()].filter((file) => program(file) !== 'worker')
    const wrong = node.filter((file) =>
      [...reached(file)].some((to) => to.startsWith('cloudflare:')),
    )
    expect(wrong).toEqual([])
  })

  it('have no circle', () => expect(circle()).toEqual([]))
})
