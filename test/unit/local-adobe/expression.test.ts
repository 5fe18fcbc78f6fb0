import { describe, expect, it } from 'vitest'
import {
  ExpressionError,
  evaluate,
  parseExpression,
} from '../../../src/local-adobe/platform/mapping/expression.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const RECORD = {
  visitor: { UUID: 'u', email: null },
  'First Name': 'Ada',
  count: 3,
  messages: [{ text: 'a' }, { text: 'b' }],
}
const value = (text: string) => evaluate(parseExpression(text), RECORD, NOW)

describe('an expression of Data Prep', () => {
  it.each([
    ['concat("Hi, ", "there", "!")', 'Hi, there!'],
    ['explode("Hi, there!", " ")', ['Hi,', 'there!']],
    ['instr("adobe.com", "com")', 6],
    ['substr("This is a substring test", 7, 8)', ' a subst'],
    ['lpad("bat", 8, "yz")', 'yzyzybat'],
    ['rpad("bat", 8, "yz")', 'batyzyzy'],
    ['left("abcde", 2)', 'ab'],
    ['right("abcde", 2)', 'de'],
    ['join(" ", to_array(true, "Hello", "world"))', 'Hello world'],
    ['"string1".equals("STRING1")', false],
    ['"string1".equalsIgnoreCase("STRING1")', true],
    ['size_of([1, 2, 3, 4])', 4],
    ['to_object("firstName", "John", "lastName", "Doe")', { firstName: 'John', lastName: 'Doe' }],
    ['coalesce(null, null, "first", null, "second")', 'first'],
    ['add_to_array(["a", "b"], "c", "d")', ['a', 'b', 'c', 'd']],
    ['to_array(false, 1, null, 2, 3)', [1, 2, 3]],
    ['decode(visitor.UUID, "u", "yes", "no")', 'yes'],
    ['decode("x", "u", "yes", "no")', 'no'],
    ['min(3, 1, 4)', 1],
    ['max(3, 1, 4)', 4],
    ['to_integer("12")', 12],
    ['date("2019-10-23 11:24")', '2019-10-23T11:24:00.000Z'],
    ['now()', '2026-11-24T12:00:00.000Z'],
    ['iif("s".equalsIgnoreCase("S"), "True", "False")', 'True'],
    ['json_to_object("{\\"a\\":1}")', { a: 1 }],
  ])('%s', (text, expected) => {
    expect(value(text)).toEqual(expected)
  })

  it.each([
    ['visitor.UUID', 'u'],
    ['\u0024{First Name}', 'Ada'],
    ['messages[1].text', 'b'],
    ['messages[*].text', ['a', 'b']],
    ['visitor.none.deeper', null],
    ['is_empty(visitor.email)', true],
    ['count + 1 * 2', 5],
    ['(count + 1) * 2', 8],
    ['count > 2 && !(count == 4)', true],
    ['visitor.UUID != "u" || count <= 3', true],
  ])('%s reads the record', (text, expected) => {
    expect(value(text)).toEqual(expected)
  })

  it.each(['', 'concat(', 'no_such(1)', 'sha256("x")', 'for', '1 2', 'a ; b', '"open'])(
    'refuses %j',
    (text) => {
      expect(() => parseExpression(text)).toThrow(ExpressionError)
    },
  )
})
