import { describe, expect, it } from 'vitest'
import { geoOf } from '../../../src/worker/aep/record/geo.ts'

describe('placeContext.geo', () => {
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
    ['more places than three', 'Jung-gu, Seoul, Seoul, South Korea'],
    ['nothing', ''],
    ['commas only', ', , '],
    ['a megabyte', `${'x'.repeat(1_000_000)}, , Netherlands`],
    ['a name that every object has', 'a, b, constructor'],
  ])('says nothing about %s', (_, location) => {
    expect(geoOf(location)).toEqual({})
  })
})
