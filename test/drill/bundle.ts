/** Bundle: the Worker as `npm run deploy` would upload it, and its compatibility date. Throws when the build fails. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** `script` is relative to the directory that the bundle was built in. */
export type Bundle = { readonly script: string; readonly compatibilityDate: string }

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUILD_TIMEOUT_MS = 120_000

export async function buildBundle(directory: string): Promise<Bundle> {
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
  const out = path.join(directory, 'bundle')
  const args = ['--no-warnings', wrangler, 'deploy', '--dry-run', '--outdir', out]
  await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    timeout: BUILD_TIMEOUT_MS,
    env: {
      ...process.env,
      NO_COLOR: '1',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_LOG_PATH: path.join(directory, 'wrangler-logs'),
    },
  })
  const toml = await readFile(path.join(ROOT, 'wrangler.toml'), 'utf8')
  const date = /^compatibility_date = "(\d{4}-\d{2}-\d{2})"$/m.exec(toml)?.[1]
  if (!date) throw new Error('wrangler.toml has no line `compatibility_date = "…"`.')
  return { script: 'bundle/index.js', compatibilityDate: date }
}
