/**
 * Runs one command of this project: `node src/cli/run.mjs NAME [arguments]` calls `main` of `NAME/main.ts`.
 *
 * It exists so that every command behaves the same on every Node: a Node that is too old gets a sentence instead of a
 * syntax error, and one that can strip types but does not by default (22.12 to 22.17) is started again with the flag.
 * A command ends with what has started it: npm passes no signal on, and leaves its program behind when it is ended.
 */
import './require-node.mjs'
import { spawn } from 'node:child_process'
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
  process.exitCode = await main(args)
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
