/** Asserts that the parts of an event, joined, equal the whole event. */
import { expect } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/encode.ts'
import { draftXdm } from '../../../src/worker/aep/record/xdm.ts'
import type { ChatEvent } from '../../../src/worker/chatlio/event.ts'
import type { JsonObject } from '../../../src/worker/lib/json.ts'
import { joinParts, restoreRaw } from './join-parts.ts'
import { ID, SENDING, XDM } from './split-arbitraries.ts'

export const LIMITS = [2_000, 2_500, 9_500]
export const BASE = ['_acme', 'chatlio']
export const utf8 = (text: string) => new TextEncoder().encode(text).length

// biome-ignore lint/suspicious/noExplicitAny: parts are walked freely, as a reader of the lake would
export type Loose = any

export const record = (part: string): Loose => JSON.parse(part)
export const entity = (part: string): Loose => record(part).body.xdmEntity
/** The value after a round trip through JSON, which drops undefined fields. */
const asJson = (value: unknown): Loose => JSON.parse(JSON.stringify(value))

export function expectWholeRaw(event: ChatEvent, parts: JsonObject[]): void {
  const whole = { ...asJson(encodeRaw(event, SENDING.source)), delaySeconds: 0 }
  if (parts[0]?._id === ID) {
    expect(parts).toEqual([whole])
    return
  }
  const joined = joinParts(parts, [])
  // Fields with a name of the relay's own stand in `unmapped`, in one piece too.
  const own: JsonObject = JSON.parse(whole.unmapped ?? '{}')
  delete whole.unmapped
  for (const [path, value] of Object.entries(own)) {
    expect(joined.unmapped[path]).toEqual(value)
    delete joined.unmapped[path]
  }
  for (const name of joined.dropped) delete whole[String(name)]
  // An identity that leaves no room is dropped.
  if (whole.identity) expect(whole.identity).toMatchObject(joined.record.identity ?? {})
  delete whole.identity
  delete joined.record.identity
  // Parts hold no empty objects or lists.
  if (JSON.stringify(whole.visitor) === '{}') delete whole.visitor
  if (JSON.stringify(whole.messages) === '[]') delete whole.messages
  expect(asJson(restoreRaw(joined))).toEqual(whole)
}

export function expectWholeXdm(event: ChatEvent, parts: JsonObject[]): void {
  const draft = draftXdm(event, XDM, SENDING.source, 0)
  const joined = joinParts(parts, BASE)
  for (const { at, own, from, value } of draft.fields) {
    const path = own ? [...BASE, ...at] : at
    const held = path.reduce<Loose>((holder, key) => holder?.[key], joined.record)
    if (from !== null) expect(held ?? joined.unmapped[from]).toEqual(value)
    else if (held !== undefined) expect(held).toEqual(value)
  }
  for (const [path, value] of draft.unmapped) expect(joined.unmapped[path]).toEqual(value)
  const texts = Object.fromEntries(draft.texts)
  for (const name of joined.dropped) delete texts[String(name)]
  expect(joined.texts).toEqual(texts)
  const messages = joined.messages.map((message) => {
    const prefix = `messages.${message.index}.`
    const moved = Object.entries(joined.unmapped).filter(([path]) => path.startsWith(prefix))
    return { ...Object.fromEntries(moved.map(([p, v]) => [p.slice(prefix.length), v])), ...message }
  })
  for (const [position, { index, text, rest }] of draft.messages.entries()) {
    const expected = { index, ...(text === undefined ? {} : { text }), ...Object.fromEntries(rest) }
    expect(messages[position]).toMatchObject(expected)
  }
  expect(messages).toHaveLength(draft.messages.length)
}
