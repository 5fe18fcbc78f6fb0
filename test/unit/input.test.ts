/** What operators' commands take: a fault is described by what was expected. */
import * as v from 'valibot'
import { expect, it } from 'vitest'
import { COMMANDS, type Command } from '../../src/worker/admin/api.ts'

const SECRET = 987_654_321
const VALUES = [SECRET, `${SECRET} ?`, [SECRET], [`${SECRET}`], { a: SECRET }, -SECRET, true, null]

const fields = Object.entries<Command>(COMMANDS).flatMap(([command, { takes }]) =>
  Object.entries(takes?.entries ?? {}).map(([field, schema]) => ({ command, field, schema })),
)

it('has commands that take something', () => expect(fields.length).toBeGreaterThan(30))

it.each(fields)('$command: what is wrong with $field is said without its value', ({ schema }) => {
  const messages = VALUES.flatMap((value) => v.safeParse(schema, value).issues ?? []).map(
    ({ message }) => message,
  )
  expect(messages.filter((message) => !message.startsWith('expected '))).toEqual([])
  expect(messages.join()).not.toContain(String(SECRET))
})
