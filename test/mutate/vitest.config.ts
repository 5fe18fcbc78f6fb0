import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { timesAsOften } from '../vitest.config.ts'

const root = path.join(import.meta.dirname, '../..')
const configPath = path.join(root, 'wrangler.toml')
/** What a property finds it mostly finds soon, and each is tried for every change that it reaches. */
const { define, plugin } = timesAsOften(0.1)

/** The pure tests, in workerd as everywhere else: one project, since Stryker takes no more. */
export default defineConfig({
  root,
  define,
  plugins: [plugin, cloudflareTest({ wrangler: { configPath } })],
  test: {
    include: ['test/unit/**/*.test.ts', 'test/worker/alerts-evaluate.test.ts'],
    setupFiles: ['test/worker/restore-environment.ts'],
    isolate: false,
    restoreMocks: true,
    // One that takes a second takes minutes on a busy machine, and Stryker begins with all of them.
    testTimeout: 600_000,
  },
})
