import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const root = path.join(import.meta.dirname, '..')

/** Timeouts run on the real clock, waits between tries on the tests' own: short, but not for a busy machine. */
const bindings = {
  AEP_ENDPOINT: 'http://127.0.0.1:8788/collection/local-inlet',
  AEP_FLOW_ID: 'local-flow',
  WEBHOOK_KEYS: 'test-webhook-key-number-one,test-webhook-key-number-two',
  ADMIN_TOKEN: 'test-admin-token-of-some-length',
  FORWARD_TIMEOUT_MS: '120',
  DRAIN_TIMEOUT_MS: '120',
}

/** As the local AEP is set up, with an authenticated inlet. */
const xdmBindings = {
  ...bindings,
  AEP_FORMAT: 'xdm',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'local-dataset',
  AEP_SCHEMA_ID: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  AEP_TENANT: 'localtenant',
  AEP_CLIENT_ID: 'local-client',
  AEP_CLIENT_SECRET: 'local-client-secret',
  AEP_IMS_URL: 'http://127.0.0.1:8788',
}

/** Of modules that have neither storage nor a clock: their files share a worker, which starts once. */
const PURE = ['test/unit/**/*.test.ts']

type Files = { include: string[]; exclude?: string[]; isolate?: boolean }

/** The outbox reads its own environment, so what it is configured to is a matter of the project. */
function project(name: string, files: Files, own: typeof bindings) {
  const configPath = path.join(root, 'wrangler.toml')
  return {
    root,
    plugins: [cloudflareTest({ wrangler: { configPath }, miniflare: { bindings: own } })],
    test: { name, ...files, restoreMocks: true, testTimeout: 30_000 },
  }
}

/** Tests run in workerd, against the Worker as `wrangler.toml` describes it; upstream is the local AEP, in process. */
export default defineConfig({
  test: {
    // Much of the time is waiting for timeouts, so a few files at once are done sooner, however many cores there are.
    maxWorkers: 3,
    projects: [
      project('unit', { include: PURE, isolate: false }, bindings),
      project('worker', { include: ['test/worker/**/*.test.ts'] }, bindings),
      project('xdm', { include: ['test/xdm/**/*.test.ts'] }, xdmBindings),
    ],
  },
})
