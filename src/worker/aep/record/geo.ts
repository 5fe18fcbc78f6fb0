/**
 * `placeContext.geo` from Chatlio's `location`: "city, region, country", any of them missing (GEO).
 *
 * Promises: only what is certain. A country is one only by its name, in the last place; a city only where all
 * three places are there and the last is a country. Never a `stateProvince`: XDM wants ISO 3166-2 there, and a
 * region's name does not tell its code.
 */
import { countryCode } from './geo-countries.ts'

export type Geo = { city?: string; countryCode?: string }

/** No place on earth has a longer name; what is longer is not looked at. */
const MAX_LOCATION_CHARACTERS = 300

/** Countries that are also a region elsewhere ("Atlanta, Georgia"): certain only in the third place. */
const ALSO_REGIONS = new Set(['GE', 'LU', 'MK', 'NE'])

export function geoOf(location: string): Geo {
  if (location.length > MAX_LOCATION_CHARACTERS) return {}
  const places = location.split(',').map((place) => place.trim())
  const country = countryCode(places.at(-1) ?? '')
  if (country === undefined || places.length > 3) return {}
  if (places.length < 3) return ALSO_REGIONS.has(country) ? {} : { countryCode: country }
  const city = places[0]
  return city ? { city, countryCode: country } : { countryCode: country }
}
