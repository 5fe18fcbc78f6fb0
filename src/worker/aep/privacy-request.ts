/**
 * The request that deletes a person's data in Adobe Experience Platform: `POST /data/core/privacy/jobs` of Privacy Service.
 * Source: Adobe's pages privacy-service/api/privacy-jobs, profile/privacy and catalog/privacy, and the OpenAPI file. Pure.
 *
 * Promises: all identities of the person in one job, since Profile deletes by them; each of them twice, since the data lake
 * knows only `unregistered` ones (by the label of the identity descriptor), and Profile and Identity only registered ones.
 * Never Data Hygiene: Adobe forbids its record deletes for privacy requests. Without `identity` in `include` the profile can
 * come together again.
 */
import namespace from './schema/identity-namespace.json' with { type: 'json' }

export const PRIVACY_JOBS = '/data/core/privacy/jobs'

/** One way in which a person is known. */
export type Identity = { readonly kind: 'email' | 'visitor'; readonly value: string }

/** Adobe takes nine entries a person, and each identity needs two. */
export const MAX_IDENTITIES = 4

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
  const userIDs = identities.flatMap((identity) => userIds(identity, options.visitors))
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
