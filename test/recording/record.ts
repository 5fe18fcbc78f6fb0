/**
 * `npm run recording`: the three commands of the set-up from a clean clone, as a person would type them, and what they
 * printed, written into docs/recording.md.
 *
 * Promises: everything runs on 127.0.0.1, against the local Adobe and a local Cloudflare API; the text has no key, no
 * token and no path of this machine; nothing is written unless every command has ended with 0.
 * Accepts: a local Cloudflare API takes a deploy and cannot run it. `verify` meets the same Worker under `wrangler dev`,
 * with the variables and secrets that the deploy has brought; the text says so.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startWorker } from '../../src/cli/lib/local-worker.ts'
import { startLocalAdobe } from '../../src/local-adobe/server.ts'
import { ACCOUNT_ID, API_TOKEN, startLocalCloudflare } from '../cli/local-cloudflare/server.ts'
import { neutral, page, type Recorded } from './text.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NAME = 'chatlio-edge-relay'
/** As they stand in the text, whichever ports were free. */
const ADOBE_URL = 'http://127.0.0.1:8788'
const WORKER_URL = 'http://127.0.0.1:8787'

const USAGE = `Usage: npm run recording
Runs the three commands of the set-up from a clone of what is committed, and
writes what they printed into docs/recording.md.

  --help
`
try {
  const { values } = parseArgs({ options: { help: { type: 'boolean' } } })
  if (values.help) {
    console.log(USAGE)
    process.exit(0)
  }
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exit(2)
}

const directory = mkdtempSync(path.join(tmpdir(), 'recording-'))
const clone = path.join(directory, NAME)
const adobe = await startLocalAdobe({ keepBodies: true })
const cloudflare = await startLocalCloudflare()
try {
  await run('git', ['clone', '--quiet', ROOT, clone], directory, {})
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'))
  const { clientId, clientSecret, orgId } = adobe.adobe.settings
  const inAdobe = {
    AEP_CLIENT_ID: clientId,
    AEP_CLIENT_SECRET: clientSecret,
    AEP_ORG_ID: orgId,
    AEP_IMS_URL: adobe.url,
    AEP_PLATFORM_URL: adobe.url,
  }
  const atCloudflare = {
    CLOUDFLARE_API_BASE_URL: cloudflare.url,
    CLOUDFLARE_API_TOKEN: API_TOKEN,
    CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID,
  }
  const recorded = [
    await command('npm run provision', inAdobe),
    await command('npm run deploy -- --allow-loopback', atCloudflare),
  ]
  const deployed = cloudflare.worker(NAME)
  const secrets = Object.fromEntries(deployed?.secrets ?? [])
  const vars = (deployed?.bindings ?? []).flatMap(({ name, type, text }) =>
    type === 'plain_text' && typeof text === 'string' ? [[name, text] as const] : [],
  )
  const worker = startWorker(0, { ...Object.fromEntries(vars), ...secrets })
  try {
    const url = await worker.ready(AbortSignal.timeout(60_000))
    recorded.push(await command(`npm run verify -- --url ${url}`, { ...inAdobe, ...secrets }))
    const text = neutral(recorded, {
      [adobe.url]: ADOBE_URL,
      [url]: WORKER_URL,
      ...Object.fromEntries(Object.values(secrets).map((key) => [key, `${key.slice(0, 4)}…`])),
    })
    writeFileSync(path.join(ROOT, 'docs/recording.md'), page(text))
    console.log('Wrote docs/recording.md.')
  } finally {
    await worker.stop()
  }
} finally {
  await adobe.close()
  await cloudflare.close()
  rmSync(directory, { recursive: true, force: true })
}

/** As typed in the clone. Throws with what it printed when it does not end with 0. */
async function command(line: string, env: Readonly<Record<string, string>>): Promise<Recorded> {
  console.log(`$ ${line}`)
  const [, , ...rest] = line.split(' ')
  const begun = performance.now()
  const output = await run('npm', ['run', '--silent', ...rest], clone, env)
  return { line, output, seconds: (performance.now() - begun) / 1_000 }
}

function run(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(file, [...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      // Of the caller's environment only what a command needs to run: no settings of a real AEP or Cloudflare.
      PATH: process.env.PATH,
      HOME: directory,
      TMPDIR: directory,
      NO_COLOR: '1',
      WRANGLER_SEND_METRICS: 'false',
      ...env,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output}`))
    })
  })
}
