/** Hints on a regulation that Adobe may not know. */
import { distance } from '../lib/text.ts'

/** Of the OpenAPI file of 2026. Adobe adds to them, so that they are for hints only. */
const REGULATIONS =
  'apa_aus ccpa cpa_co_usa cpra_ca_usa ctdpa_ct_usa dpdpa fdbr_fl_usa gdpr hipaa_usa icdpa_ia_usa lgpd_bra mcdpa_mn_usa mcdpa_mt_usa mhmda_wa_usa ndpa_ne_usa nhpa_nh_usa njdpa_nj_usa nzpa_nzl ocpa_or_usa pdpa_tha ql25 tdpsa_tx_usa tipa_tn_usa ucpa_ut_usa vcdpa_va_usa'.split(
    ' ',
  )

/** What to say of a regulation that Adobe's list does not have; `null`: nothing. It is passed on as it is. */
export function regulationHint(given: string): string | null {
  if (REGULATIONS.includes(given)) return null
  const wanted = given.toLowerCase()
  const [law = ''] = wanted.split('_')
  const sameLaw = REGULATIONS.filter((one) => one.split('_')[0] === law)
  const near =
    sameLaw.length > 0 ? sameLaw : REGULATIONS.filter((one) => distance(one, wanted) <= 2)
  const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''
  return `Adobe's list of regulations has no ${given}; it is passed on as it is.${hint}`
}
