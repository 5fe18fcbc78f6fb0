import path from 'node:path'
import { defineConfig } from 'vitest/config'

/** Tests of the commands, and of the simulator: they run in Node; the commands start real servers on 127.0.0.1. */
export default defineConfig({
  root: path.join(import.meta.dirname, '..'),
  test: {
    name: 'cli',
    include: ['test/cli/**/*.test.ts', 'test/simulation/**/*.test.ts'],
    restoreMocks: true,
    testTimeout: 60_000,
    // Some build the Worker first.
    hookTimeout: 60_000,
    maxWorkers: 3,
  },
})
