/**
 * The request that deletes a person's data in Adobe Experience Platform: `POST /data/core/privacy/jobs` of Privacy Service.
 * Source: Adobe's pages privacy-service/api/privacy-jobs, profile/privacy and catalog/privacy. Pure.
 *
 * Never Data Hygiene: Adobe forbids its record deletes for privacy requests. Without `identity` in `include` the profile can
 * come together again.
 */
import type { Person } from './options.ts'

export const PRIVACY_JOBS_URL = 'https://platform.adobe.io/data/core/privacy/jobs'

type UserId = { namespace: string; value: string; type: 'standard' | 'custom' | 'unregistered' }

/** `key`: names the request, and no person. */
export function privacyRequest(
  person: Person,
  key: string,
  { orgId, visitorNamespace }: { orgId: string | null; visitorNamespace: string },
) {
  return {
    companyContexts: [{ namespace: 'imsOrgID', value: orgId ?? 'YOUR_ORG_ID@AdobeOrg' }],
    users: [{ key, action: ['delete'], userIDs: userIds(person, visitorNamespace) }],
    include: ['aepDataLake', 'ProfileService', 'identity'],
    expandIds: false,
    regulation: 'gdpr',
  }
}

/** The data lake wants the type `unregistered`, Profile and Identity the type of the namespace. */
function userIds(person: Person, visitorNamespace: string): UserId[] {
  const [namespace, value, type] =
    'email' in person
      ? (['Email', person.email.toLowerCase(), 'standard'] as const)
      : ([visitorNamespace, person.visitor, 'custom'] as const)
  return [
    { namespace, value, type },
    { namespace, value, type: 'unregistered' },
  ]
}
