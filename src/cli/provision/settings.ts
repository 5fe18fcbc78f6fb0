/**
 * Settings: Adobe's side of `provision`, from the environment or `--env-file`.
 * Promises: pure; what is missing or wrong is named, its value never shown. Plain http for loopback only.
 */
import {
  DEFAULT_IMS_URL,
  DEFAULT_PLATFORM_URL,
  DEFAULT_SCOPES,
  isSafe,
} from '../../worker/config/destination.ts'
import { type Environment, variable } from '../lib/env-file.ts'
import type { PlatformSettings } from '../lib/platform-client.ts'
import type { Vars } from '../lib/wrangler-toml.ts'

const REQUIRED = ['AEP_CLIENT_ID', 'AEP_CLIENT_SECRET', 'AEP_ORG_ID'] as const

export const isSecret = (name: string) => name === 'AEP_CLIENT_SECRET'

const CREDENTIAL = 'Developer Console > project > OAuth Server-to-Server'

/** Where Adobe shows it. */
export const QUESTIONS: Readonly<Record<(typeof REQUIRED)[number], string>> = {
  AEP_CLIENT_ID: `AEP_CLIENT_ID (Client ID, ${CREDENTIAL})`,
  AEP_CLIENT_SECRET: `AEP_CLIENT_SECRET (the same page: Retrieve client secret)`,
  AEP_ORG_ID: `AEP_ORG_ID (the same page: Organization ID, ends with @AdobeOrg)`,
}

/** What wrangler.toml says of the account, where the environment says nothing. Never a secret: none stands there. */
export function withAccountOf(vars: Vars, env: Environment): Environment {
  const names = ['AEP_CLIENT_ID', 'AEP_ORG_ID', 'AEP_SANDBOX', 'AEP_IMS_URL', 'AEP_PLATFORM_URL']
  return { ...Object.fromEntries(names.map((name) => [name, vars[name]])), ...env }
}

export function missingSettings(env: Environment): readonly (typeof REQUIRED)[number][] {
  return REQUIRED.filter((name) => variable(env, name) === undefined)
}

/** The text says what is wrong. Call it when nothing is missing. */
export function readSettings(env: Environment): PlatformSettings | { readonly wrong: string } {
  const imsUrl = baseUrl(variable(env, 'AEP_IMS_URL') ?? DEFAULT_IMS_URL)
  const platformUrl = baseUrl(variable(env, 'AEP_PLATFORM_URL') ?? DEFAULT_PLATFORM_URL)
  if (imsUrl === null) return { wrong: `AEP_IMS_URL is ${EXPECTED}.` }
  if (platformUrl === null) return { wrong: `AEP_PLATFORM_URL is ${EXPECTED}.` }
  const sandbox = variable(env, 'AEP_SANDBOX') ?? 'prod'
  const orgId = variable(env, 'AEP_ORG_ID') ?? ''
  const clientId = variable(env, 'AEP_CLIENT_ID') ?? ''
  for (const [name, value] of Object.entries({
    AEP_SANDBOX: sandbox,
    AEP_ORG_ID: orgId,
    AEP_CLIENT_ID: clientId,
  })) {
    if (!/^[\x21-\x7e]+$/.test(value))
      return { wrong: `${name} has a character that no header takes.` }
  }
  return {
    clientId,
    clientSecret: variable(env, 'AEP_CLIENT_SECRET') ?? '',
    orgId,
    sandbox,
    scopes: variable(env, 'AEP_SCOPES') ?? DEFAULT_SCOPES,
    imsUrl,
    platformUrl,
  }
}

const EXPECTED = 'an https URL (http for loopback only), without user, password, query or fragment'

function baseUrl(text: string): string | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const isBare = url.username + url.password + url.search + url.hash === ''
  return isSafe(url) && isBare ? url.href.replace(/\/+$/, '') : null
}
