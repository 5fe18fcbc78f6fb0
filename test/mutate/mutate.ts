/**
 * Mutate: `npm run mutate`. Changes the pure modules in small ways, one at a time, and runs the pure tests that reach each
 * change, in workerd: a change that no test notices is a test that is missing, or code that does nothing.
 *
 * Works in a copy of the tree, because Stryker has to work in place (its other way asks TypeScript for an API that version 7
 * does not have), and an interrupted run would leave a changed module behind.
 * Left out: what runs inside the Durable Object. Its tests have the object's own copy of a module, in which no change is
 * active, so that every change would seem unnoticed. And tables that are made when a module is loaded: each change of one
 * needs all tests.
 * Exit code 0: it ran, whatever the score; 1: it did not; 2: wrong options.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runCommand } from '../../src/cli/lib/run.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const REPORT = 'mutation.json'

/** Rooms, by the modules in them that decide and do no I/O. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  outbox: ['outbox/blame', 'outbox/event', 'outbox/known', 'outbox/aep'],
  relay: ['breaker', 'aep/client/client', 'aep/client/verdict'],
  chatlio: ['event', 'kind', 'payload', 'person', 'timestamp'].map((name) => `chatlio/${name}`),
  record: [...['draft', 'encode', 'geo', 'identity', 'metrics', 'redact', 'xdm']].map(
    (name) => `aep/record/${name}`,
  ),
  landed: ['aep/landed', 'aep/failed-row'],
  alerts: ['alerts/evaluate', 'alerts/message'],
  lib: ['json', 'spellings'].map((name) => `lib/${name}`),
  config: ['config', 'destination', 'variables', 'webhook-keys'].map((name) => `config/${name}`),
}

const USAGE = `Usage: npm run mutate -- [ROOM or FILE below src/worker…] [options]
  rooms: ${Object.keys(ROOMS).join(', ')}; all by default
  breaker:154-165 is lines of a file
  --survivors   print what no test notices
  --help`

type Mutant = {
  readonly status: string
  readonly mutatorName: string
  readonly replacement?: string
  readonly location: { readonly start: Place; readonly end: Place }
}
type Place = { readonly line: number; readonly column: number }
type Report = {
  readonly files: {
    readonly [file: string]: { readonly source: string; readonly mutants: Mutant[] }
  }
}

function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, mutate)
}

type Options = { readonly files: readonly string[]; readonly survivors: boolean }

/** `wrong` says what is wrong with the command line. */
function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      survivors: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const names = positionals.length > 0 ? positionals : Object.keys(ROOMS)
  const chosen = names.flatMap((name): [file: string, lines: string][] => {
    const [, file = '', lines = ''] =
      /^(?:src\/worker\/)?(.*?)(?:\.ts)?(:\d+-\d+)?$/.exec(name) ?? []
    return (ROOMS[file] ?? [file]).map((each) => [each, lines])
  })
  const known = Object.values(ROOMS).flat()
  const [unknown] = chosen.find(([file]) => !known.includes(file)) ?? []
  if (unknown !== undefined) return { wrong: `${unknown} is no room, and no module of one.` }
  const [gone] = chosen.find(([file]) => !existsSync(moduleOf(file))) ?? []
  if (gone !== undefined) return { wrong: `src/worker/${gone}.ts is not there any more.` }
  const files = chosen.map(([file, lines]) => `src/worker/${file}.ts${lines}`)
  return { files, survivors: values.survivors }
}

const moduleOf = (file: string) => path.join(ROOT, `src/worker/${file}.ts`)

async function mutate({ files, survivors: showsSurvivors }: Options): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'chatlio-mutate-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(130))
  }
  const report = await run(files, directory)
  if (report === null) return 1
  console.log(`\n${table(report)}`)
  if (showsSurvivors) console.log(`\n${survivors(report)}`)
  return 0
}

/** `null`: it did not end. */
async function run(files: readonly string[], directory: string): Promise<Report | null> {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
  for (const file of listed.stdout.split('\0').filter(Boolean)) {
    cpSync(path.join(ROOT, file), path.join(directory, file))
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'))
  const config = {
    testRunner: 'vitest',
    plugins: [createRequire(import.meta.url).resolve('@stryker-mutator/vitest-runner')],
    vitest: { configFile: 'test/mutate/vitest.config.ts', related: true },
    mutate: files,
    inPlace: true,
    coverageAnalysis: 'perTest',
    ignoreStatic: true,
    concurrency: 1,
    // A change that never ends is seen by how often it is reached; a busy machine is only slow.
    timeoutMS: 300_000,
    dryRunTimeoutMinutes: 30,
    allowEmpty: false,
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: REPORT },
  }
  writeFileSync(path.join(directory, 'stryker.config.json'), JSON.stringify(config))
  const stryker = path.join(ROOT, 'node_modules/@stryker-mutator/core/bin/stryker.js')
  const child = spawn(process.execPath, [stryker, 'run'], { cwd: directory, stdio: 'inherit' })
  process.on('exit', () => child.kill())
  const [code] = await once(child, 'close')
  if (code !== 0) return null
  return JSON.parse(readFileSync(path.join(directory, REPORT), 'utf8'))
}

const NOTICED = ['Killed', 'Timeout']
const UNNOTICED = ['Survived', 'NoCoverage']

/** Score: noticed of all that could be, in percent. */
function table({ files }: Report): string {
  const rows = Object.entries(files).map(([file, { mutants }]) => ({ file, mutants }))
  const rooms = Map.groupBy(rows, ({ file }) => roomOf(file))
  const lines = [...rooms].flatMap(([room, held]) => [
    line(
      room,
      held.flatMap(({ mutants }) => mutants),
    ),
    ...held.map(({ file, mutants }) => line(`  ${path.basename(file)}`, mutants)),
  ])
  return [
    '| | Changes | Noticed | Survived | No test | Score |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}

function roomOf(file: string): string {
  const name = file.replace(/^src\/worker\/|\.ts$/g, '')
  return Object.keys(ROOMS).find((room) => ROOMS[room]?.includes(name)) ?? 'others'
}

function line(name: string, mutants: readonly Mutant[]): string {
  const count = (...statuses: string[]) =>
    mutants.filter(({ status }) => statuses.includes(status)).length
  const [noticed, unnoticed] = [count(...NOTICED), count(...UNNOTICED)]
  const score =
    noticed + unnoticed === 0 ? '' : `${((100 * noticed) / (noticed + unnoticed)).toFixed(1)} %`
  return `| ${name} | ${noticed + unnoticed} | ${noticed} | ${count('Survived')} | ${count('NoCoverage')} | ${score} |`
}

function survivors({ files }: Report): string {
  return Object.entries(files)
    .flatMap(([file, { source, mutants }]) =>
      mutants
        .filter(({ status }) => UNNOTICED.includes(status))
        .map(({ status, mutatorName, replacement = '', location: { start, end } }) => {
          const was = textBetween(source, start, end).replace(/\s+/g, ' ').slice(0, 120)
          const now = replacement.replace(/\s+/g, ' ').slice(0, 120)
          return `${file}:${start.line} ${status} ${mutatorName}\n  - ${was}\n  + ${now}`
        }),
    )
    .join('\n')
}

function textBetween(source: string, start: Place, end: Place): string {
  const lines = source.split('\n').slice(start.line - 1, end.line)
  const last = lines.length - 1
  lines[last] = lines[last]?.slice(0, end.column - 1) ?? ''
  lines[0] = lines[0]?.slice(start.column - 1) ?? ''
  return lines.join('\n')
}

process.exit(await main(process.argv.slice(2)))
