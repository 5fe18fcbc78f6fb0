import path from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: path.join(import.meta.dirname, '..'),
  plugins: [
    cloudflareTest({
      wrangler: { configPath: path.join(import.meta.dirname, '../wrangler.toml') },
      miniflare: { bindings: {} },
    }),
  ],
  test: { include: ['test/**/*.test.ts'], restoreMocks: true },
})
