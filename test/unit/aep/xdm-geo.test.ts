import { describe, expect, it } from 'vitest'
import { countryCodes, geoOf } from '../../../src/worker/aep/record/geo.ts'

/** ISO 3166-1 alpha-2. */
const ISO = `
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
`

describe('placeContext.geo', () => {
  it('knows every country of the standard, whatever else the runtime names', () => {
    expect([...new Set(countryCodes().values())].toSorted()).toEqual(ISO.trim().split(/\s+/))
  })

  it.each([
    ['Turkey', 'TR'],
    ['Türkiye', 'TR'],
    ['Swaziland', 'SZ'],
    ['Hong Kong', 'HK'],
    ['Falkland Islands', 'FK'],
    ['Czech Republic', 'CZ'],
    ['U.S. Virgin Islands', 'VI'],
    ['USA', 'US'],
    ['UK', 'GB'],
  ])('knows %s under every name in use', (name, countryCode) => {
    expect(geoOf(`, , ${name}`)).toEqual({ countryCode })
  })

  it.each([
    ['Utrecht, Utrecht, Netherlands', { city: 'Utrecht', countryCode: 'NL' }],
    ['Cheyenne, , United States', { city: 'Cheyenne', countryCode: 'US' }],
    [', , South Korea', { countryCode: 'KR' }],
    [
      'Kingstown, Saint George, St. Vincent & the Grenadines',
      { city: 'Kingstown', countryCode: 'VC' },
    ],
    ['Abidjan, Lagunes, Côte d’Ivoire', { city: 'Abidjan', countryCode: 'CI' }],
    ['Willemstad, , CURAÇAO', { city: 'Willemstad', countryCode: 'CW' }],
    [
      'Kinshasa, Kinshasa, The Democratic Republic of the Congo',
      { city: 'Kinshasa', countryCode: 'CD' },
    ],
    ['Tbilisi, Tbilisi, Georgia', { city: 'Tbilisi', countryCode: 'GE' }],
    ['Istanbul, Istanbul, Türkiye', { city: 'Istanbul', countryCode: 'TR' }],
    ['Netherlands', { countryCode: 'NL' }],
    ['Utrecht, Netherlands', { countryCode: 'NL' }],
  ])('is certain of %s', (location, geo) => {
    expect(geoOf(location)).toEqual(geo)
  })

  it.each([
    ['a region that is a country’s namesake', 'Atlanta, Georgia'],
    ['a city alone', 'Utrecht'],
    ['an unknown country', 'Utrecht, Utrecht, Middle-earth'],
    ['a code', 'San Francisco, San Francisco County, CA'],
    ['a code that is short for a country', 'San Francisco, California, US'],
    ['a region that is no country', 'Las Palmas, , Canary Islands'],
    ['more places than three', 'Jung-gu, Seoul, Seoul, South Korea'],
    ['nothing', ''],
    ['commas only', ', , '],
    ['a megabyte', `${'x'.repeat(1_000_000)}, , Netherlands`],
    ['a name that every object has', 'a, b, constructor'],
  ])('says nothing about %s', (_, location) => {
    expect(geoOf(location)).toEqual({})
  })
})
