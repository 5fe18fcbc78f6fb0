/**
 * Derives `placeContext.geo` from Chatlio's `location`: "city, region, country", any of them possibly missing (GEO).
 *
 * Promises: reports only what is certain. A country must be named in the last place; a city is reported only if all
 * three places are present and the last is a country of ISO 3166-1.
 * Never reports a `stateProvince`: XDM wants ISO 3166-2 there, and a region's name does not determine its code.
 * Country names are the runtime's own English ones. Accepts: a name that the runtime changes, and that is not among
 * `OTHER_NAMES`, is not known under its old form.
 */
type Geo = { city?: string; countryCode?: string }

/** No real location is longer. Bounds the work on a hostile one, which yields no geo. */
const MAX_LOCATION_CHARACTERS = 300

/** Countries whose names are also regions elsewhere ("Atlanta, Georgia"): certain only in the third place. */
const ALSO_REGIONS = new Set(['GE', 'LU', 'MK', 'NE'])

/** What the runtime names besides countries of the standard: withdrawn and reserved codes, groups, tests. */
const NO_COUNTRIES = new Set(
  'AC AN BU CP CQ CS DD DG DY EA EU EZ FX HV IC NH QO RH SU TA TP UK UN VD XA XB XK YD YU ZR ZZ'.split(
    ' ',
  ),
)

/** Names that databases of IP addresses use besides the runtime's, in the form of `normalizedName`. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  AE: 'uae',
  AX: 'aland',
  BA: 'bosnia',
  BN: 'brunei darussalam',
  CC: 'cocos islands',
  CD: 'democratic republic of congo, dr congo',
  CG: 'republic of congo, congo republic',
  CI: 'ivory coast',
  CV: 'cape verde, cabo verde',
  CZ: 'czechia, czech republic',
  FK: 'falkland islands',
  FM: 'federated states of micronesia',
  GB: 'great britain',
  JO: 'hashemite kingdom of jordan',
  KR: 'republic of korea',
  LT: 'republic of lithuania',
  MD: 'republic of moldova',
  MK: 'macedonia',
  MM: 'burma',
  MO: 'macao, macau',
  NL: 'holland',
  PN: 'pitcairn',
  PS: 'palestine, palestinian territory, palestinian territories',
  RU: 'russian federation',
  SK: 'slovak republic',
  SZ: 'eswatini, swaziland',
  TL: 'east timor',
  TR: 'turkey, turkiye',
  US: 'usa, united states of america',
  VA: 'holy see',
  VI: 'us virgin islands',
  VN: 'viet nam',
}

let known: ReadonlyMap<string, string> | null = null

/** Codes by name. Made when the first location comes: some 280 names, a few milliseconds. */
export function countryCodes(): ReadonlyMap<string, string> {
  if (!known) {
    const named = styles()
    known = new Map(allCodes().flatMap((code) => namesOf(code, named).map((name) => [name, code])))
  }
  return known
}

/** A few milliseconds by itself, which no start-up should pay: in raw nobody asks for a country. */
const styles = () =>
  (['long', 'short'] as const).map(
    (style) => new Intl.DisplayNames('en', { type: 'region', style, fallback: 'none' }),
  )

function allCodes(): string[] {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
  return letters.flatMap((first) => letters.map((second) => first + second))
}

function namesOf(code: string, named: readonly Intl.DisplayNames[]): string[] {
  if (NO_COUNTRIES.has(code)) return []
  const names = named.map((style) => style.of(code)).filter((name) => name !== undefined)
  return [...names.map(normalizedName), ...(OTHER_NAMES[code]?.split(', ') ?? [])].filter(
    // "US" and "UK" are codes too, and the place of a code is a region's: "San Francisco, CA".
    (name) => name.length > 2 || name === 'uk',
  )
}

/** Visitors of one city write many events: their locations, as they came, in memory only. */
const MAX_KNOWN_LOCATIONS = 500
const geos = new Map<string, Geo>()

/** Empty if nothing about the location is certain. */
export function geoOf(location: string): Geo {
  if (location === '' || location.length > MAX_LOCATION_CHARACTERS) return {}
  let geo = geos.get(location)
  if (!geo) {
    if (geos.size >= MAX_KNOWN_LOCATIONS) geos.clear()
    geo = read(location)
    geos.set(location, geo)
  }
  return geo
}

function read(location: string): Geo {
  const places = location.split(',').map((place) => place.trim())
  const country = countryCodes().get(normalizedName(places.at(-1) ?? ''))
  if (country === undefined || places.length > 3) return {}
  if (places.length < 3) return ALSO_REGIONS.has(country) ? {} : { countryCode: country }
  const city = places[0]
  return city ? { city, countryCode: country } : { countryCode: country }
}

function normalizedName(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('’', "'")
    .replace(/\bthe /g, '')
    .replaceAll(' & ', ' and ')
    .replace(/^st\.? /, 'saint ')
}
