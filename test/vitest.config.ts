import { existsSync, statfsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const root = path.join(import.meta.dirname, '..')

/** What Node has compiled is kept: wrangler, the commands and the simulation start many times, each in a process. */
const compiled = path.join(root, 'node_modules/.cache/node')
enableCompileCache(compiled)
process.env.NODE_COMPILE_CACHE = compiled

/**
 * Where workerd keeps the outbox while tests run in it: in memory, on Linux, since every write waits for the disk otherwise.
 * It takes some 40 MB a worker and is removed in the end. Tests in Node keep the usual folder, for what they leave.
 */
const usualTmp = tmpdir()
const MEMORY = '/dev/shm'
if (existsSync(MEMORY)) {
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize > 2 ** 30) process.env.TMPDIR = MEMORY
}

/** `FC_RUNS=10` in the environment tries each property ten times as often, with cases of its own. */
const RUNS = Number(process.env.FC_RUNS ?? 1)
const PROPERTIES = path.join(import.meta.dirname, 'properties.ts')

/** Tries each property so many times as often as it asks for. */
export const timesAsOften = (runs: number) => ({
  define: { FC_RUNS: runs },
  plugin: {
    name: 'properties',
    enforce: 'pre' as const,
    resolveId: (source: string, importer?: string) =>
      source === 'fast-check' && importer !== PROPERTIES ? PROPERTIES : undefined,
  },
})
const { define, plugin: properties } = timesAsOften(RUNS)

/** What is transformed is kept too. What is imported depends on `RUNS`, which this cache does not know. */
const fsModuleCachePath = path.join(root, 'node_modules/.cache/vitest')
const kept = { fsModuleCache: RUNS === 1, fsModuleCachePath }

/** Timeouts run on the real clock, waits between tries on the tests' own: short, but not for a busy machine. */
const bindings = {
  AEP_ENDPOINT: 'http://127.0.0.1:8788/collection/local-inlet',
  AEP_FLOW_ID: 'local-flow',
  WEBHOOK_KEYS: 'test-webhook-key-number-one,test-webhook-key-number-two',
  ADMIN_TOKEN: 'test-admin-token-of-some-length',
  FORWARD_TIMEOUT_MS: '120',
  DRAIN_TIMEOUT_MS: '120',
}

/** Whole outages, whatever goes wrong, many rows, properties over several isolates: seconds each. `npm run test:fast` leaves them out. */
const SLOW =
  'test/{worker,xdm}/{alerts,alerts-canary,causes.property,completeness,costs,erase,event-index,faults,landed,many-receipts,openapi,oracle,outbox,page,page-reads,poison,refusing.property,rejecting,reports,rows,throttle,xdm}.test.ts'
/**
 * No test says how fast something is: these end what hangs. What takes ten seconds alone took seventy among seven other
 * processes on two cores.
 */
const FAST_MS = 120_000
const SLOW_MS = 600_000

type Files = { include: string[]; exclude?: string[] }

/** Files share a worker, which takes longer to start than most of them take to run: what a test changes ends with it. */
function project(name: string, files: Files, testTimeout = FAST_MS) {
  const configPath = path.join(root, 'wrangler.toml')
  const setupFiles = ['test/worker/restore-environment.ts']
  return {
    root,
    define,
    plugins: [properties, cloudflareTest({ wrangler: { configPath }, miniflare: { bindings } })],
    test: {
      name,
      ...files,
      ...kept,
      setupFiles,
      isolate: false,
      maxWorkers: availableParallelism(),
      sequence: { groupOrder: 1 },
      restoreMocks: true,
      testTimeout: testTimeout * RUNS,
    },
  }
}

/** They run in Node, and start real servers on 127.0.0.1. */
const inNode = (name: string, files: Files) => ({
  root,
  test: {
    name,
    ...files,
    ...kept,
    env: { TMPDIR: usualTmp },
    isolate: false,
    // Most of their time is waiting: for processes, and for what takes the relay seconds.
    maxWorkers: availableParallelism() + 3,
    sequence: { groupOrder: 0 },
    restoreMocks: true,
    testTimeout: SLOW_MS,
    // Some build the Worker first.
    hookTimeout: SLOW_MS,
  },
})
const NODE_TESTS = 'test/{cli,simulation,drill}/**/*.test.ts'
/** Minutes of processor time that prove the provers: crashes, faults put back, the real wrangler. `npm test` leaves them to CI. */
const PROOFS = 'test/**/*.proof.test.ts'

/** The others run in workerd, against the Worker as `wrangler.toml` describes it; upstream is the local AEP, in process. */
export default defineConfig({
  test: {
    fsModuleCachePath,
    projects: [
      project('worker', {
        include: ['test/{unit,worker,xdm}/**/*.test.ts'],
        exclude: [SLOW],
      }),
      project('slow', { include: [SLOW] }, SLOW_MS),
      inNode('cli', { include: [NODE_TESTS], exclude: [PROOFS] }),
      inNode('proof', { include: [PROOFS] }),
    ],
  },
})
