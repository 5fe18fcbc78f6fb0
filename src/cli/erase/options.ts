/** Options: the command line of `npm run erase`. */
import { parseArgs } from 'node:util'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../../worker/limits.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'

export type Person = { readonly email: string } | { readonly visitor: string }

export type Options = {
  readonly base: string
  readonly adminToken: string
  readonly person: Person
  readonly suppressDays: number
  readonly dryRun: boolean
  /** For the request to Adobe; `null`: to be filled in. */
  readonly orgId: string | null
  readonly visitorNamespace: string
}

export const USAGE = `Usage: npm run erase -- --email E | --visitor V [options]
Erases what a relay holds of one person, until nothing is left, and takes no new events of theirs
for a while. Then says what Adobe still holds, with the request that deletes it.

  --email E          the person's email address
  --visitor V        or the visitor's UUID
  --url URL          address of the relay, or the variable RELAY_URL
  --admin-token T    or the variable ADMIN_TOKEN
  --suppress-days N  drop new events of this person so long, 0 to ${MAX_SUPPRESS_DAYS}; ${DEFAULT_SUPPRESS_DAYS} by default
  --dry-run          count only, change nothing
  --help

Exit code: 0 nothing is left, 1 the relay failed or something is left, 2 usage.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Options | 'help' | { wrong: string } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        email: { type: 'string' },
        visitor: { type: 'string' },
        url: { type: 'string' },
        'admin-token': { type: 'string' },
        'suppress-days': { type: 'string', default: String(DEFAULT_SUPPRESS_DAYS) },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return 'help'
    const person = personOf(values.email?.trim(), values.visitor?.trim())
    if (!person) return { wrong: 'Give exactly one of --email and --visitor.' }
    const address = values.url || environment.RELAY_URL
    if (!address) return { wrong: '--url is missing: the address of the relay.' }
    const url = parseRelayUrl(address)
    if ('wrong' in url) return url
    const adminToken = values['admin-token'] || environment.ADMIN_TOKEN?.trim()
    if (!adminToken) {
      return { wrong: 'The admin token is missing: set ADMIN_TOKEN, or give --admin-token.' }
    }
    const suppressDays = Number(values['suppress-days'])
    if (!/^\d{1,2}$/.test(values['suppress-days']) || suppressDays > MAX_SUPPRESS_DAYS) {
      return { wrong: `--suppress-days is a whole number from 0 to ${MAX_SUPPRESS_DAYS}.` }
    }
    return {
      base: url.base,
      adminToken,
      person,
      suppressDays,
      dryRun: values['dry-run'],
      orgId: environment.AEP_ORG_ID?.trim() || null,
      visitorNamespace: environment.AEP_VISITOR_NAMESPACE?.trim() || 'ChatlioVisitor',
    }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}

function personOf(email: string | undefined, visitor: string | undefined): Person | null {
  if (email && visitor === undefined) return { email }
  return visitor && email === undefined ? { visitor } : null
}
