import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Tests run in workerd, against the Worker as `wrangler.toml` describes it; upstream is the local AEP, in process. */
export default defineConfig({
  root: path.join(import.meta.dirname, '..'),
  plugins: [
    cloudflareTest({
      wrangler: { configPath: path.join(import.meta.dirname, '../wrangler.toml') },
      miniflare: {
        bindings: {
          AEP_ENDPOINT: 'http://127.0.0.1:8788/collection/local-inlet',
          AEP_FLOW_ID: 'local-flow',
          WEBHOOK_KEYS: 'test-webhook-key-number-one,test-webhook-key-number-two',
          ADMIN_TOKEN: 'test-admin-token-of-some-length',
          // Timeouts run on the real clock, waits between tries on the tests' own.
          FORWARD_TIMEOUT_MS: '60',
          DRAIN_TIMEOUT_MS: '120',
        },
      },
    }),
  ],
  test: { include: ['test/**/*.test.ts'], restoreMocks: true, testTimeout: 30_000 },
})
