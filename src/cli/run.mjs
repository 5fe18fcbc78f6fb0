/**
 * Runs one command of this project: `node src/cli/run.mjs NAME [arguments]` calls `main` of `NAME/main.ts`.
 *
 * It exists so that every command behaves the same on every Node: a Node that is too old gets a sentence instead of a
 * syntax error, and one that can strip types but does not by default (22.12 to 22.17) is started again with the flag.
 * A command ends with what has started it: npm passes no signal on, and leaves its program behind when it is ended.
 * Nothing is done by half of a command line: an option before which `--` is missing, npm takes for itself.
 */
import './require-node.mjs'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const PARENT_CHECK_MS = 500

const [command, ...args] = process.argv.slice(2)

const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
}, PARENT_CHECK_MS).unref()

// Who reads the output may go, as `| head` does. What is under way comes to its end all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error
  })
}

if (process.features.typescript) {
  const { main } = await import(`./${command}/main.ts`)
  const taken = await takenByNpm()
  if (taken.length > 0) console.error(takenText(taken))
  process.exitCode = taken.length > 0 ? 2 : await main(args)
} else {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const child = spawn(
    process.execPath,
    [...flags, fileURLToPath(import.meta.url), command, ...args],
    { stdio: 'inherit' },
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => process.exit(code ?? 1))
}

/** Options of this command that npm has taken: `npm run deploy --dry-run` would deploy. */
async function takenByNpm() {
  const { USAGE = '' } = await import(`./${command}/options.ts`).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return {}
  })
  const meant = meantForNpm()
  return Object.entries(process.env).flatMap(([variable, value]) => {
    // In small letters, as npm hands on what it has read. `NPM_CONFIG_…` is somebody's own, for npm.
    const [, name = ''] = /^npm_config_(\w+)$/.exec(variable) ?? []
    const option = `--${name.toLowerCase().replaceAll('_', '-')}`
    // npm sets it in what it runs, too; without it a command asks.
    if (!value || name === '' || option === '--yes' || args.includes(option)) return []
    if (meant.has(option)) return []
    return new RegExp(`${option}[\\s\\]]`).test(USAGE) ? [option] : []
  })
}

/** What npm's own files set, such as the `email` of a registry: npm hands that on as well. */
function meantForNpm() {
  const { npm_config_userconfig, npm_config_globalconfig, npm_config_local_prefix } = process.env
  const project = npm_config_local_prefix && path.join(npm_config_local_prefix, '.npmrc')
  const files = [npm_config_userconfig, npm_config_globalconfig, project]
  return new Set(files.flatMap((file) => (file ? namesIn(file) : [])).map((name) => `--${name}`))
}

function namesIn(file) {
  try {
    return [...readFileSync(file, 'utf8').matchAll(/^\s*([\w-]+)\s*=/gm)].map(([, name]) => name)
  } catch {
    return []
  }
}

function takenText(options) {
  const script = command === 'start' ? 'npm start' : `npm run ${command}`
  return [
    `npm has taken ${options.join(', ')} for itself, and nothing was done.`,
    `Put -- before the options: ${script} -- ${options.join(' ')} …`,
  ].join('\n')
}
