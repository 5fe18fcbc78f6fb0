/** Writes what was measured into docs/benchmarks.md and docs/costs.md, with the machine, the versions and the command. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'
import { DEBIAN, DEBIAN_LIBRARIES, OPPONENTS } from './install.ts'
import { markdownOf, replaceBetween, type Section, svgOf } from './section.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCS = path.join(ROOT, 'docs')
const PICTURES = path.join(DOCS, 'benchmarks')
const FIGURES = path.join(PICTURES, 'figures.json')
const LOAD_AT_START = loadavg()[0] ?? 0

type Figures = Readonly<Record<string, Readonly<Record<string, number>>>>

/** What earlier runs have left for the parts that count with it. */
export function publishedFigures(): Figures {
  try {
    return JSON.parse(readFileSync(FIGURES, 'utf8')) as Figures
  } catch {
    return {}
  }
}

export function operationsText(): string {
  return readFileSync(path.join(DOCS, 'operations.md'), 'utf8')
}

/** `contenders`: those that were chosen. */
export function publish(
  section: Section,
  contenders: readonly Contender[],
  args: readonly string[],
): void {
  mkdirSync(PICTURES, { recursive: true })
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  const made = `<sub>\`${command}\` · ${machine()}</sub>`
  const text = `${markdownOf(section)}\n\n${made}`
  if (section.scene === 'cost') {
    change('costs.md', 'cost', text)
  } else {
    change('benchmarks.md', section.scene, text)
    change('benchmarks.md', 'versions', versions(contenders))
  }
  for (const chart of section.charts) writeFileSync(path.join(PICTURES, chart.file), svgOf(chart))
  if (Object.keys(section.figures).length > 0) {
    const figures = { ...publishedFigures(), [section.scene]: section.figures }
    writeFileSync(FIGURES, `${JSON.stringify(figures, null, 2)}\n`)
  }
}

function change(page: string, name: string, text: string): void {
  const file = path.join(DOCS, page)
  writeFileSync(file, replaceBetween(readFileSync(file, 'utf8'), name, `\n${text}\n`))
}

/** What it ran on, in one line; nothing that names it. */
function machine(): string {
  const [cpu] = cpus()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  const load = LOAD_AT_START.toFixed(1)
  return (
    `${new Date().toISOString().slice(0, 10)} · ${cpus().length} × ${cpu?.model.trim() ?? process.arch}, ${memory} GiB, ` +
    `Linux ${release().split('-')[0]} · load ${load} before it began · commit ${commit()}`
  )
}

function commit(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout.trim()
  const isChanged = git('status', '--porcelain', '--', 'src', 'wrangler.toml') !== ''
  return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' and changes' : ''}`
}

function versions(contenders: readonly Contender[]): string {
  const rows = contenders.map(({ title, note }) => `| ${title} | ${note} |`)
  const wrangler = createRequire(createRequire(import.meta.url).resolve('wrangler'))
  const packages = ['wrangler', 'workerd', 'miniflare'].map((name) => ofPackage(name, wrangler))
  const manifest = path.join(OPPONENTS, 'package.json')
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    dependencies: Record<string, string>
  }
  const opponents = Object.keys(dependencies).map((name) =>
    ofPackage(name, createRequire(manifest)),
  )
  const debian = [
    ofProgram('usr/sbin/nginx', ['-v'], /nginx\/(\S+)/, 'nginx'),
    ofProgram('usr/bin/redis-server', ['--version'], /v=(\S+)/, 'redis-server'),
  ]
  const all = [`Node ${process.versions.node}`, ...packages, ...opponents, ...debian]
  return [
    '| | How it is set up |\n| --- | --- |',
    ...rows,
    `\nVersions: ${all.filter((text) => text !== null).join(', ')}.`,
  ].join('\n')
}

/** Name and version of an installed package; `null`: it is not installed. */
function ofPackage(name: string, require: NodeJS.Require): string | null {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(path.join(folder, name, 'package.json'), 'utf8')
      return `${name} ${(JSON.parse(text) as { version: string }).version}`
    } catch {
      // In the next folder, perhaps.
    }
  }
  return null
}

function ofProgram(file: string, args: string[], version: RegExp, name: string): string | null {
  const env = { LD_LIBRARY_PATH: DEBIAN_LIBRARIES }
  const options = { encoding: 'utf8', env } as const
  const { stdout, stderr, error } = spawnSync(path.join(DEBIAN, file), args, options)
  const found = error ? null : version.exec(`${stdout}${stderr}`)?.[1]
  return found ? `${name} ${found}` : null
}
