/**
 * The request that deletes a person's data in Adobe Experience Platform: `POST /data/core/privacy/jobs` of Privacy Service.
 * Source: Adobe's pages privacy-service/api/privacy-jobs, profile/privacy and catalog/privacy, and the OpenAPI file. Pure.
 *
 * Promises: all identities of the person in one job, since Profile deletes by them; each of them twice, since the data lake
 * knows only `unregistered` ones (by the label of the identity descriptor), and Profile and Identity only registered ones.
 * An address is given in every spelling under which it can have been sent: its domain in letters and in ASCII.
 * Never Data Hygiene: Adobe forbids its record deletes for privacy requests. Without `identity` in `include` the profile can
 * come together again.
 */
import { composed, folded } from '../lib/spellings.ts'
import namespace from './schema/identity-namespace.json' with { type: 'json' }

export const PRIVACY_JOBS = '/data/core/privacy/jobs'

/** One way in which a person is known. */
export type Identity = { readonly kind: 'email' | 'visitor'; readonly value: string }

/** Each once, an address as it is sent. Blank ones are left out. */
export function distinctIdentities(given: readonly Identity[]): Identity[] {
  const byText = given.map(({ kind, value }): [string, Identity] => {
    const trimmed = value.trim()
    if (kind === 'visitor') return [`${kind} ${trimmed}`, { kind, value: trimmed }]
    return [`${kind} ${folded(trimmed)}`, { kind, value: composed(trimmed.normalize('NFKC')) }]
  })
  return [...new Map(byText).values()].filter(({ value }) => value !== '')
}

/** Adobe takes nine entries a person, and each identity needs two; an address that has two spellings, four. */
export const MAX_IDENTITIES = 4

export function areTooMany(identities: readonly Identity[]): boolean {
  return identities.flatMap(spellingsOf).length > MAX_IDENTITIES
}

/** A person's browser may have written a domain of other letters in ASCII (`xn--…`), or not. */
function spellingsOf({ kind, value }: Identity): readonly Identity[] {
  const at = value.lastIndexOf('@') + 1
  const domain = value.slice(at)
  if (kind === 'visitor' || at === 0 || !/[^ -~]|xn--/.test(domain)) return [{ kind, value }]
  const letters = value.slice(0, at) + folded(domain)
  const url = `http://${domain}`
  const ascii = value.slice(0, at) + (URL.canParse(url) ? new URL(url).hostname : domain)
  return [...new Set([letters, ascii])].map((each) => ({ kind, value: each }))
}

export type UserId = {
  readonly namespace: string
  readonly value: string
  readonly type: 'standard' | 'custom' | 'namespaceId' | 'unregistered'
}

export type VisitorNamespace = {
  readonly code: string
  /** Its number in AEP, which nothing can be confused with; `null` where it could not be looked up. */
  readonly id: string | null
}

/** `key`: names the request, and no person. */
export function privacyRequest(
  identities: readonly Identity[],
  key: string,
  options: { orgId: string | null; visitors: VisitorNamespace; regulation: string },
) {
  const userIDs = identities
    .flatMap(spellingsOf)
    .flatMap((identity) => userIds(identity, options.visitors))
  return {
    companyContexts: [{ namespace: 'imsOrgID', value: options.orgId ?? 'YOUR_ORG_ID@AdobeOrg' }],
    users: [{ key, action: ['delete'], userIDs }],
    include: ['aepDataLake', 'ProfileService', 'identity'],
    expandIds: 'false',
    regulation: options.regulation,
  }
}

function userIds({ kind, value }: Identity, { code, id }: VisitorNamespace): readonly UserId[] {
  if (kind === 'email') {
    return [
      { namespace: 'Email', value, type: 'standard' },
      { namespace: 'Email', value, type: 'unregistered' },
    ]
  }
  return [
    id === null
      ? // By its name, not its code. `provision` gives every namespace of ours this one.
        { namespace: namespace.name, value, type: 'custom' }
      : { namespace: id, value, type: 'namespaceId' },
    { namespace: code, value, type: 'unregistered' },
  ]
}
