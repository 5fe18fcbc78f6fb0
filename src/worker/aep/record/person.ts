/**
 * Whose record it is: what a record that was sent says of its person, in either format, for screening before it is sent again.
 *
 * Promises: finds the visitor's id and addresses wherever the encoders put them, `unmapped` and parts included; never an
 * agent's, never one that a message or `replyToEmail` only mentions. Each value is looked up as an id and as an address:
 * rather one name too many than a suppressed person's record sent. Pure, and never throws.
 */
import { normalizedKey, type PersonKey } from '../../chatlio/person.ts'
import { isObject, jsonIn } from '../../lib/json.ts'
import { addressesIn, readingsOfText } from '../../lib/spellings.ts'

/** Below these keys are words of a visitor or an agent, or data of somebody else: no identity of this person. */
const OTHERS = new Set(['messages', 'agent', 'agentEmail', 'replyToEmail'])
const NAMES = new Set(['UUID', 'uuid', 'email', 'visitorEmail', 'emailPretty'])
/** All that stands below these is an identity. */
const IDENTITIES = new Set(['identity', 'identityMap'])

const MAX_ADDRESSES = 32
const MAX_CHARACTERS = 1_024

export function personKeysIn(record: unknown): PersonKey[] {
  const values = new Set<string>()
  const left: { value: unknown; isTheirs: boolean }[] = [{ value: record, isTheirs: false }]
  while (left.length > 0) {
    const { value, isTheirs } = left.pop() ?? {}
    if (typeof value === 'string' && isTheirs === true) addValue(value, values)
    else if (Array.isArray(value))
      for (const item of value) left.push({ value: item, isTheirs: isTheirs === true })
    else if (isObject(value)) {
      for (const [path, held] of Object.entries(value)) {
        // In `unmapped` names are paths.
        const names = path.split('.')
        if (names.some((name) => OTHERS.has(name))) continue
        const name = names.at(-1) ?? ''
        const own = isTheirs === true || IDENTITIES.has(name) || NAMES.has(name)
        const isText = name === 'unmapped' && typeof held === 'string'
        left.push({ value: isText ? jsonIn(held) : held, isTheirs: own })
      }
    }
  }
  return [...values].flatMap((value) => [
    normalizedKey({ field: 'visitor', value }),
    normalizedKey({ field: 'email', value }),
  ])
}

function addValue(text: string, values: Set<string>): void {
  if (text.trim() !== '' && text.length <= MAX_CHARACTERS) values.add(text)
  for (const address of addressesIn(readingsOfText(text), MAX_ADDRESSES)) values.add(address)
}
