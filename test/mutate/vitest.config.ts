import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const root = path.join(import.meta.dirname, '../..')
const configPath = path.join(root, 'wrangler.toml')

/** The pure tests, in workerd as everywhere else: one project, since Stryker takes no more. */
export default defineConfig({
  root,
  plugins: [cloudflareTest({ wrangler: { configPath } })],
  test: {
    include: ['test/unit/**/*.test.ts', 'test/worker/alerts-evaluate.test.ts'],
    setupFiles: ['test/worker/restore-environment.ts'],
    isolate: false,
    restoreMocks: true,
    // One that takes a second takes minutes on a busy machine, and Stryker begins with all of them.
    testTimeout: 600_000,
  },
})
