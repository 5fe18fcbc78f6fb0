/**
 * Target: reads the configuration as wrangler does, environment and inheritance included, by wrangler's own reader.
 * Reads one file and changes nothing.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { misplacedSettings } from '../lib/wrangler-toml.ts'
import { SETTING_NAMES, type Target } from './settings.ts'

/** Rejects with wrangler's words when the file cannot be read or has no such environment. */
export async function readTarget(config: string, env: string | null): Promise<Target> {
  // Loaded when it is needed: it takes a second.
  const { experimental_readRawConfig, unstable_readConfig } = await import('wrangler')
  const file = path.resolve(config)
  const selected = { config: file, ...(env !== null && { env }) }
  const resolved = read(() => unstable_readConfig(selected, { hideWarnings: true }))
  const { rawConfig } = experimental_readRawConfig({ config: file })
  // Wrangler takes a name that is not there for a new Worker when the file has no environment at all.
  if (env !== null && rawConfig.env?.[env] === undefined) {
    throw new Error(`${path.basename(file)} has no [env.${env}].`)
  }
  const own = env === null ? rawConfig : rawConfig.env?.[env]
  const hasRoutes = ['route', 'routes'].some((key) => rawConfig[key as 'routes'] !== undefined)
  const hasOwnRoutes = ['route', 'routes'].some((key) => own?.[key as 'routes'] !== undefined)
  const routes = routesOf(resolved)
  return {
    worker: resolved.name ?? '',
    env,
    file: path.basename(file),
    vars: { ...resolved.vars },
    durableObjects: resolved.durable_objects.bindings.map(({ name }: { name: string }) => name),
    inheritsRoutes: env !== null && hasRoutes && !hasOwnRoutes,
    routes: routes.map(({ pattern }) => pattern),
    domain: routes.find(({ isDomain }) => isDomain)?.pattern ?? null,
    misplaced: file.endsWith('.toml')
      ? misplacedSettings(readFileSync(file, 'utf8'), SETTING_NAMES)
      : [],
  }
}

/** Wrangler's reader does not name the file that is no TOML. */
function read<Config>(by: () => Config): Config {
  try {
    return by()
  } catch (error) {
    const { location, message } = error as Error & { location?: { file: string; line: number } }
    if (!location) throw error
    throw new Error(`${path.basename(location.file)}, line ${location.line}: ${message}`)
  }
}

type Route = string | { readonly pattern?: unknown; readonly custom_domain?: unknown }

function routesOf({ route, routes = [] }: { route?: Route; routes?: readonly Route[] }) {
  const all = route === undefined ? routes : [route, ...routes]
  return all.map((each) => ({
    pattern: String(typeof each === 'string' ? each : (each.pattern ?? '')),
    isDomain: typeof each !== 'string' && each.custom_domain === true,
  }))
}

/** Of the Worker, as far as the configuration says it; `null`: it does not. */
export function addressOf({ vars, domain }: Target): string | null {
  const own = String(vars.PUBLIC_URL ?? '').trim()
  if (URL.canParse(own)) return own.replace(/\/+$/, '')
  return domain === null ? null : `https://${domain}`
}
