/** `npx vitest run --config test/bench/find.config.ts`: some five minutes, and 700 MB in memory. */
import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const root = path.join(import.meta.dirname, '../..')

export default defineConfig({
  root,
  plugins: [cloudflareTest({ wrangler: { configPath: path.join(root, 'wrangler.toml') } })],
  test: { include: ['test/worker/find.bench.ts'], testTimeout: 900_000 },
})
