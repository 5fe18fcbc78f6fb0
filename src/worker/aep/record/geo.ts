/**
 * Derives `placeContext.geo` from Chatlio's `location`: "city, region, country", any of them possibly missing (GEO).
 *
 * Promises: reports only what is certain. A country must be named in the last place; a city is reported only if all
 * three places are present and the last is a country.
 * Never reports a `stateProvince`: XDM wants ISO 3166-2 there, and a region's name does not determine its code.
 */
import { COUNTRY_NAMES } from './geo-countries.ts'

export type Geo = { city?: string; countryCode?: string }

/** No real location is longer. Bounds the work on a hostile one, which yields no geo. */
const MAX_LOCATION_CHARACTERS = 300

/** Countries whose names are also regions elsewhere ("Atlanta, Georgia"): certain only in the third place. */
const ALSO_REGIONS = new Set(['GE', 'LU', 'MK', 'NE'])

const CODES: ReadonlyMap<string, string> = new Map(
  Object.entries(COUNTRY_NAMES).flatMap(([code, names]) => names.map((name) => [name, code])),
)

/** Empty if nothing about the location is certain. */
export function geoOf(location: string): Geo {
  if (location.length > MAX_LOCATION_CHARACTERS) return {}
  const places = location.split(',').map((place) => place.trim())
  const country = CODES.get(normalizedName(places.at(-1) ?? ''))
  if (country === undefined || places.length > 3) return {}
  if (places.length < 3) return ALSO_REGIONS.has(country) ? {} : { countryCode: country }
  const city = places[0]
  return city ? { city, countryCode: country } : { countryCode: country }
}

/** The form in which `COUNTRY_NAMES` holds names. */
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
