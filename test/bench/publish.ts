/** Writes what was measured into docs/benchmarks.md, with the machine, the versions and the command. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'
import { DEBIAN, OPPONENTS } from './install.ts'
import { markdownOf, replaceBetween, type Section, svgOf } from './section.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = path.join(ROOT, 'docs/benchmarks.md')
const PICTURES = path.join(ROOT, 'docs/benchmarks')
const LOAD_AT_START = loadavg()[0] ?? 0

export function publish(
  sections: readonly Section[],
  contenders: readonly Contender[],
  args: readonly string[],
): void {
  let page = readFileSync(PAGE, 'utf8')
  mkdirSync(PICTURES, { recursive: true })
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  for (const section of sections) {
    const made = `\`${command}\` · ${machine()}`
    page = replaceBetween(page, section.scene, `\n${markdownOf(section)}\n\n<sub>${made}</sub>\n`)
    for (const chart of section.charts) {
      writeFileSync(path.join(PICTURES, chart.file), svgOf(chart))
    }
  }
  page = replaceBetween(page, 'versions', `\n${versions(contenders)}\n`)
  writeFileSync(PAGE, page)
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
  const packages = ['wrangler', 'workerd', 'miniflare'].map((name) => ofPackage(name, wrangler()))
  const opponents = Object.keys(
    JSON.parse(readFileSync(path.join(OPPONENTS, 'package.json'), 'utf8')).dependencies,
  ).map((name) => ofPackage(name, createRequire(path.join(OPPONENTS, 'package.json'))))
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

const wrangler = () => createRequire(createRequire(import.meta.url).resolve('wrangler'))

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
  const env = { LD_LIBRARY_PATH: path.join(DEBIAN, 'usr/lib/x86_64-linux-gnu') }
  const { stdout, stderr, error } = spawnSync(path.join(DEBIAN, file), args, {
    encoding: 'utf8',
    env,
  })
  const found = error ? null : version.exec(`${stdout}${stderr}`)?.[1]
  return found ? `${name} ${found}` : null
}
