/** Hints on a regulation that Adobe may not know. */

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

/** Letters to change, add, leave out or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  const cell = (i: number, j: number) => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          cell(i - 1, j) + 1,
          (row[j - 1] ?? 0) + 1,
          cell(i - 1, j - 1) + (same ? 0 : 1),
          swapped ? cell(i - 2, j - 2) + 1 : Infinity,
        ),
      )
    }
  }
  return cell(a.length, b.length)
}
