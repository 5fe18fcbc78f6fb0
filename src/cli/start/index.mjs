/**
 * `npm start`: the Worker and a local AEP, tried with one sample of each kind. This file only gets
 * `start.ts` to run: it refuses a Node that is too old, and asks one that can read TypeScript but does
 * not by default (22.12 to 22.17) to do so.
 */
import '../require-node.mjs'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

if (process.features.typescript) {
  const { main } = await import('./start.ts')
  process.exitCode = await main(process.argv.slice(2))
} else {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const args = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => process.exit(code ?? 1))
}
