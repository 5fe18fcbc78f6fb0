/**
 * Expression: the language of calculated fields in Data Prep, parsed and evaluated: literals, field paths,
 * operators, and the functions of `functions.ts`. Pure. Evaluating never fails on missing fields: they are
 * null, as they are for Adobe.
 */
import type { JsonObject } from '../../streaming/message.ts'
import { FUNCTIONS, type Values } from './functions.ts'
import { Each, parsePath, read } from './path.ts'

export class ExpressionError extends Error {}

export const RESERVED: ReadonlySet<string> = new Set(
  'new mod or break var lt for false while eq gt div not null continue else and ne true le if ge return'.split(
    ' ',
  ),
)

type Expression =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'array'; readonly items: readonly Expression[] }
  | { readonly type: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly type: 'operation'; readonly operator: string; readonly args: readonly Expression[] }

const TOKEN =
  /\s*(?:(?<number>\d+(?:\.\d+)?)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<path>(?:\$\{[^}]+\}|[A-Za-z_$@][\w$@-]*)(?:\[(?:\*|\d+)\])*(?:\.(?:\$\{[^}]+\}|[A-Za-z_$@][\w$@-]*)(?:\[(?:\*|\d+)\])*)*)|(?<sign>==|!=|<=|>=|&&|\|\||[-+*/%<>!()[\],?:.]))/y

/** By how tightly they bind, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['||', 'or'],
  ['&&', 'and'],
  ['==', '!=', 'eq', 'ne'],
  ['<', '<=', '>', '>=', 'lt', 'le', 'gt', 'ge'],
  ['+', '-'],
  ['*', '/', '%', 'div', 'mod'],
]

type Token = { readonly kind: 'number' | 'string' | 'path' | 'sign'; readonly text: string }

export function parseExpression(text: string): Expression {
  const tokens = tokenize(text)
  let at = 0
  const peek = () => tokens[at]?.text
  const accept = (...texts: string[]) => {
    const token = tokens[at]
    if (!token || token.kind === 'string' || !texts.includes(token.text)) return null
    at += 1
    return token.text
  }
  const expect = (sign: string) => {
    if (!accept(sign)) throw new ExpressionError(`Expected ${sign} near ${peek() ?? 'the end'}`)
  }
  const binary = (level: number): Expression => {
    const operators = LEVELS[level]
    if (!operators) return unary()
    let left = binary(level + 1)
    for (let operator = accept(...operators); operator; operator = accept(...operators)) {
      left = { type: 'operation', operator, args: [left, binary(level + 1)] }
    }
    return left
  }
  const unary = (): Expression => {
    const operator = accept('!', '-', 'not')
    return operator ? { type: 'operation', operator: `${operator}1`, args: [unary()] } : methods()
  }
  /** `"text".equals(other)` is `equals("text", other)`. */
  const methods = (): Expression => {
    let target = primary()
    while (accept('.')) {
      const name = tokens[at]?.text ?? ''
      at += 1
      target = call(name, [target])
    }
    return target
  }
  const list = (end: string): Expression[] => {
    const items: Expression[] = []
    if (accept(end)) return items
    do items.push(binary(0))
    while (accept(','))
    expect(end)
    return items
  }
  const call = (name: string, first: readonly Expression[]): Expression => {
    if (name !== 'iif' && !Object.hasOwn(FUNCTIONS, name)) {
      throw new ExpressionError(`The function ${name} is unknown, or not imitated here`)
    }
    expect('(')
    return { type: 'call', name, args: [...first, ...list(')')] }
  }
  const primary = (): Expression => {
    const token = tokens[at]
    at += 1
    if (!token) throw new ExpressionError('The expression ends too early')
    if (token.kind === 'number') return { type: 'value', value: Number(token.text) }
    if (token.kind === 'string') return { type: 'value', value: unquoted(token.text) }
    if (token.kind === 'path') return named(token.text)
    if (token.text === '[') return { type: 'array', items: list(']') }
    if (token.text !== '(') throw new ExpressionError(`Unexpected ${token.text}`)
    const inside = binary(0)
    expect(')')
    return inside
  }
  const named = (path: string): Expression => {
    if (path === 'true' || path === 'false') return { type: 'value', value: path === 'true' }
    if (path === 'null') return { type: 'value', value: null }
    if (peek() !== '(') {
      if (RESERVED.has(path)) throw new ExpressionError(`Wrap the reserved word: \${${path}}`)
      return { type: 'path', path }
    }
    const dot = path.lastIndexOf('.')
    if (dot < 0) return call(path, [])
    return call(path.slice(dot + 1), [{ type: 'path', path: path.slice(0, dot) }])
  }
  const parsed = binary(0)
  if (at < tokens.length) throw new ExpressionError(`Unexpected ${peek()}`)
  return parsed
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  const pattern = new RegExp(TOKEN)
  while (pattern.lastIndex < text.trimEnd().length) {
    const start = pattern.lastIndex
    const groups = pattern.exec(text)?.groups
    const [kind, own] = Object.entries(groups ?? {}).find(([, value]) => value !== undefined) ?? []
    if (!kind || own === undefined) {
      throw new ExpressionError(`Cannot read the expression from position ${start}`)
    }
    tokens.push({ kind: kind as Token['kind'], text: own })
  }
  return tokens
}

const unquoted = (text: string) => text.slice(1, -1).replaceAll(/\\(.)/g, '$1')

export function evaluate(expression: Expression, record: JsonObject, now: number): unknown {
  const value = (one: Expression | undefined): unknown => (one ? evaluate(one, record, now) : null)
  switch (expression.type) {
    case 'value':
      return expression.value
    case 'path': {
      const found = read(record, parsePath(expression.path) ?? []) ?? null
      return found instanceof Each ? found.items : found
    }
    case 'array':
      return expression.items.map(value)
    case 'call': {
      const { name, args } = expression
      // Only the branch that is taken is evaluated.
      if (name === 'iif') return value(value(args[0]) === true ? args[1] : args[2])
      return FUNCTIONS[name]?.(args.map(value), now)
    }
    case 'operation':
      return operate(expression.operator, expression.args.map(value))
  }
}

function operate(operator: string, [a, b]: Values): unknown {
  switch (operator) {
    case '!1':
    case 'not1':
      return a !== true
    case '-1':
      return -Number(a)
    case '||':
    case 'or':
      return a === true || b === true
    case '&&':
    case 'and':
      return a === true && b === true
    case '==':
    case 'eq':
      return a === b
    case '!=':
    case 'ne':
      return a !== b
    case '+':
      return typeof a === 'number' && typeof b === 'number' ? a + b : `${a ?? ''}${b ?? ''}`
    default:
      return operator.length > 2 || !/[<>lg]/.test(operator)
        ? arithmetic(operator, Number(a), Number(b))
        : ordered(operator, a, b)
  }
}

function arithmetic(operator: string, a: number, b: number): number {
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  return operator === '/' || operator === 'div' ? a / b : a % b
}

function ordered(operator: string, a: unknown, b: unknown): boolean {
  const [left, right] = typeof a === 'number' ? [a, Number(b)] : [String(a ?? ''), String(b ?? '')]
  if (operator === '<' || operator === 'lt') return left < right
  if (operator === '<=' || operator === 'le') return left <= right
  return operator === '>' || operator === 'gt' ? left > right : left >= right
}
