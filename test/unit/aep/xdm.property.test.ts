import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeXdm } from './encode-xdm.ts'
import { anyEvent, holds, XDM } from './split-arbitraries.ts'

describe('an event with any content', () => {
  it('has every value of its payload at a path of the schema or in `unmapped`', () => {
    holds(
      fc.property(anyEvent, (event) => {
        const entity = JSON.parse(encodeXdm(event, XDM)).body.xdmEntity
        const { unmapped = '{}' } = entity._acme.chatlio
        const held = new Set([...values(entity), ...values(JSON.parse(unmapped))])
        const lost = values(JSON.parse(JSON.stringify(event.payload))).filter((v) => !held.has(v))
        expect(lost).toEqual([])
      }),
      300,
    )
  })
})

/** All values other than objects and lists, except `identTraitsParsed`, which repeats `identTraits`. */
function values(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value]
  return Object.entries(value).flatMap(([key, held]) =>
    key === 'identTraitsParsed' ? [] : values(held),
  )
}
