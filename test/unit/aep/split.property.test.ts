import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { itemOf, pack } from '../../../src/worker/aep/record/draft.ts'
import { draftXdm } from '../../../src/worker/aep/record/xdm.ts'
import { encodeParts } from './encode-parts.ts'
import { encodeXdm } from './encode-xdm.ts'
import { validator } from './schema-validator.ts'
import { anyEvent, holds, ID, RAW, XDM } from './split-arbitraries.ts'
import {
  entity,
  expectWholeRaw,
  expectWholeXdm,
  LIMITS,
  type Loose,
  record,
  utf8,
} from './split-whole.ts'

const RUNS = 150
const validate = validator('acme')

describe('an event with any content', () => {
  const anywhere = fc.constantFrom(...LIMITS)

  it('xdm: every part is within the limit, valid by the schema, and of the same event', () => {
    holds(
      fc.property(anyEvent, anywhere, (event, limit) => {
        const parts = encodeParts(event, XDM, limit)
        const whole = entity(encodeXdm(event, XDM))
        for (const [index, part] of parts.entries()) {
          const held = entity(part)
          expect(utf8(JSON.stringify(held))).toBeLessThanOrEqual(limit)
          expect(validate(held)).toEqual([])
          expect(held._id).toBe(
            parts.length === 1 && !held._acme.chatlio.part ? ID : `${ID}-${index}`,
          )
          if (parts.length > 1) {
            expect(held._acme.chatlio.part).toMatchObject({ index, count: parts.length, of: ID })
          }
          expect(held).toMatchObject({ timestamp: whole.timestamp, eventType: whole.eventType })
          if (limit >= 9_500) expect(held.identityMap).toEqual(whole.identityMap)
        }
      }),
      RUNS,
    )
  })

  it('xdm: the parts joined in order give the whole event', () => {
    holds(
      fc.property(anyEvent, anywhere, (event, limit) => {
        const parts = encodeParts(event, XDM, limit).map(entity)
        if (parts[0]._acme.chatlio.part) expectWholeXdm(event, parts)
        else expect(parts).toEqual([entity(encodeXdm(event, XDM))])
      }),
      RUNS,
    )
  })

  it('raw: every part is within the limit, and joined they give the whole record', () => {
    holds(
      fc.property(anyEvent, anywhere, (event, limit) => {
        const parts = encodeParts(event, RAW, limit)
        for (const part of parts) expect(utf8(part)).toBeLessThanOrEqual(limit)
        expectWholeRaw(event, parts.map(record))
      }),
      RUNS,
    )
  })

  it('counts the content of parts to the byte', () => {
    holds(
      fc.property(anyEvent, fc.integer({ min: 64, max: 3_000 }), (event, room) => {
        for (const contents of pack(draftXdm(event, XDM, null, 0), [['x', 'y']], room)) {
          const added = JSON.stringify({ part: 0, ...Object.fromEntries(contents) })
          expect(utf8(added) - utf8(JSON.stringify({ part: 0 }))).toBeLessThanOrEqual(room)
        }
      }),
      RUNS,
    )
  })

  it('is never cut where it fits into one part', () => {
    const fits = (value: unknown, room: number) => utf8(JSON.stringify(value)) + 40 < room
    holds(
      fc.property(anyEvent, fc.integer({ min: 64, max: 3_000 }), (event, room) => {
        const draft = draftXdm(event, XDM, null, 0)
        const moved = [['x', 'y'.repeat(50)]] as const
        const parts = pack(draft, moved, room).map(
          (contents) => Object.fromEntries(contents) as Loose,
        )
        const unmapped = parts.map((part) => part.unmapped ?? '').join('')
        for (const [name, text] of [...draft.texts, ['unmapped', unmapped] as const]) {
          if (fits(text, room)) expect(parts.filter((part) => name in part)).toHaveLength(1)
        }
        for (const message of draft.messages.filter((held) => fits(itemOf(held), room))) {
          const items = parts.flatMap(({ messages = [] }) => messages)
          const pieces = items.filter(({ index }) => index === message.index)
          expect(pieces).toEqual([itemOf(message)])
        }
      }),
      RUNS,
    )
  })

  it('always gives the same parts', () => {
    holds(
      fc.property(anyEvent, fc.constantFrom(RAW, XDM), (event, destination) => {
        expect(encodeParts(structuredClone(event), destination, 2_000)).toEqual(
          encodeParts(event, destination, 2_000),
        )
      }),
      30,
    )
  })
})
