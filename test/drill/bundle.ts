/**
 * Bundle: the Worker as `npm run deploy` would upload it, and its compatibility date. Throws when the build fails.
 * A bundle of the same source, configuration and tools is kept in `node_modules/.cache`: many tests need the same one.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** `script` is relative to the directory that the bundle was built in. */
export type Bundle = { readonly script: string; readonly compatibilityDate: string }

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = path.join(ROOT, 'node_modules/.cache/bundle')
const DAY_MS = 86_400_000
const BUILD_TIMEOUT_MS = 120_000

export async function buildBundle(directory: string): Promise<Bundle> {
  const toml = await readFile(path.join(ROOT, 'wrangler.toml'), 'utf8')
  const date = /^compatibility_date = "(\d{4}-\d{2}-\d{2})"$/m.exec(toml)?.[1]
  if (!date) throw new Error('wrangler.toml has no line `compatibility_date = "…"`.')
  const out = path.join(directory, 'bundle')
  const kept = path.join(CACHE, await fingerprint())
  const isThere = await copy(kept, out)
  if (!isThere) {
    await build(directory, out)
    await keep(out, kept)
  }
  return { script: 'bundle/index.js', compatibilityDate: date }
}

async function build(directory: string, out: string): Promise<void> {
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
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
}

/** Of all that a bundle is made from: names and contents. */
async function fingerprint(): Promise<string> {
  const source = await readdir(path.join(ROOT, 'src/worker'), {
    recursive: true,
    withFileTypes: true,
  })
  const files = source
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
  const hash = createHash('sha256')
  for (const file of ['wrangler.toml', 'tsconfig.json', 'package-lock.json', ...files.sort()]) {
    hash
      .update(`${file}\0`)
      .update(await readFile(path.join(ROOT, file)))
      .update('\0')
  }
  return hash.digest('hex')
}

async function copy(from: string, to: string): Promise<boolean> {
  return cp(from, to, { recursive: true }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

/** Whole or not at all, whoever else keeps one now; those of another day go. */
async function keep(out: string, kept: string): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  for (const name of await readdir(CACHE)) {
    const other = path.join(CACHE, name)
    const { mtimeMs } = await stat(other)
    if (mtimeMs < Date.now() - DAY_MS) await rm(other, { recursive: true, force: true })
  }
  const made = await mkdtemp(`${kept}-`)
  await cp(out, made, { recursive: true })
  await rename(made, kept).catch(() => rm(made, { recursive: true, force: true }))
}
