import path from 'node:path'
import { defineConfig } from 'vitest/config'

/** Tests of the operators' page in a browser. They run in Node; each file has a relay and a browser of its own. */
export default defineConfig({
  root: path.join(import.meta.dirname, '..'),
  test: {
    name: 'browser',
    include: ['test/browser/**/*.test.ts'],
    globalSetup: ['test/browser/require-chromium.ts'],
    testTimeout: 120_000,
    hookTimeout: 90_000,
    maxWorkers: 3,
  },
})
