/**
 * `npm run provision`: everything the relay needs in Adobe Experience Platform, made or found in order, and its
 * address written into wrangler.toml.
 */
import { type Environment, environmentOf } from '../lib/env-file.ts'
import type { ApiRequest } from '../lib/platform-request.ts'
import { processIo, tried } from '../lib/run.ts'
import { wrap } from '../lib/style.ts'
import { INTERRUPTED, Interrupted, processTerminal } from '../lib/terminal.ts'
import { messageOf } from '../lib/text.ts'
import { type Config, readConfig } from './config-file.ts'
import { existing } from './existing.ts'
import { dryRun, status } from './look.ts'
import { make } from './make.ts'
import { completed, type Given, readOptions, USAGE } from './options.ts'
import { complainOf, settingsFor, startRun, type World } from './run.ts'
import { withAccountOf } from './settings.ts'

function processWorld(): World {
  return { env: process.env, io: processIo(), terminal: processTerminal() }
}

/** Resolves with the exit code. */
export async function main(
  args: readonly string[],
  world: World = processWorld(),
): Promise<number> {
  const { terminal } = world
  const options = tried(() => readOptions(args))
  if (options === 'help') {
    terminal.say(USAGE)
    return 0
  }
  if ('wrong' in options) {
    terminal.complain(`${options.wrong}\n\n${USAGE}`)
    return 2
  }
  const interrupt = () => {
    terminal.complain(options.mode === 'make' ? STOPPED : UNTOUCHED)
    process.exit(INTERRUPTED)
  }
  process.on('SIGINT', interrupt)
  try {
    return await provision(options, world)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    terminal.complain(UNTOUCHED)
    return INTERRUPTED
  } finally {
    process.off('SIGINT', interrupt)
  }
}

const UNTOUCHED = 'Interrupted. Nothing was changed.'
const STOPPED = `\n${wrap('Interrupted. wrangler.toml was not changed. Run the same command again: it continues where it stopped, and makes nothing twice.')}`

async function provision(given: Given, world: World): Promise<number> {
  const { terminal } = world
  let config: Config
  let env: Environment
  try {
    env = environmentOf(world.env, given.envFile)
    config = readConfig(given)
  } catch (error) {
    terminal.complain(messageOf(error))
    return 2
  }
  const own = { ...world, env: withAccountOf(config.vars ?? {}, env) }
  const options = completed(given, config.vars ?? {})
  if (options.existing) return existing(options, options.existing, own, config)
  const settings = await settingsFor(own.env, terminal)
  if (!settings) return 2
  const sent: ApiRequest[] = []
  try {
    const run = await startRun(options, settings, config.vars, own, (request) => sent.push(request))
    if (options.mode === 'status') return await status(run)
    if (run.wrong !== null) {
      terminal.complain(`${run.wrong} Nothing was changed.`)
      return 2
    }
    if (options.mode === 'dry-run') return await dryRun(run, sent)
    return await make(run, config.write)
  } catch (error) {
    return complainOf(error, terminal)
  }
}
