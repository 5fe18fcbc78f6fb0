/**
 * Workers on the real `workerd` binary, for measuring.
 *
 * Promises: the relay is the production bundle, as `npm run deploy` would upload it. Each Worker listens on 127.0.0.1 only,
 * on a port of its own, and keeps its storage on disk in a folder of its own. What it writes to standard output, a line for
 * each event, is discarded.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Bundle, buildBundle } from '../drill/bundle.ts'
import { workerdBinary, workerdConfig } from '../drill/workerd.ts'
import { freePort, scratch } from './processes.ts'
import { System } from './system.ts'

type Script = {
  /** Names its folder. */
  readonly name: string
  /** Path of an ES module that imports only what workerd provides; absent: the relay. */
  readonly module?: string
  readonly variables?: Readonly<Record<string, string>>
  readonly object?: { readonly binding: string; readonly className: string } | null
  /** Path and query of a webhook. */
  readonly path: string
  readonly inspectorPort?: number | undefined
}

let built: Promise<Bundle> | null = null

/** Builds the relay once. */
export function relayBundle(): Promise<Bundle> {
  built ??= buildBundle(scratch)
  return built
}

export async function startWorkerd(script: Script): Promise<System> {
  const { name, module, variables = {}, object = null, inspectorPort } = script
  const bundle = await relayBundle()
  const home = path.join(scratch, name)
  const storage = path.join(home, 'storage')
  mkdirSync(storage, { recursive: true })
  // Paths of embedded files are relative to the configuration.
  copyFileSync(module ?? path.join(scratch, bundle.script), path.join(home, 'index.js'))
  const port = await freePort()
  const config = path.join(home, 'config.capnp')
  writeFileSync(
    config,
    workerdConfig({ 'index.js': 'index.js' }, bundle.compatibilityDate, storage, variables, {
      address: `127.0.0.1:${port}`,
      object,
    }),
  )
  return System.start({
    port,
    path: script.path,
    start(system) {
      system.run({
        command: workerdBinary(),
        args: [
          'serve',
          config,
          ...(inspectorPort === undefined ? [] : [`--inspector-addr=127.0.0.1:${inspectorPort}`]),
        ],
        log: path.join(home, 'stderr.log'),
        quiet: true,
      })
    },
  })
}
