/**
 * Reading variables: each by its own valibot schema, so that one that does not parse takes no other with it.
 * A problem names the variable and what is expected there, never its value.
 */
import * as v from 'valibot'

/** What is wrong with one variable. */
export type ConfigProblem = { variable: string; expected: string }

/** Any record of variables: numbers and booleans are what `[vars]` in TOML may hold. */
export type Variables = { readonly [name: string]: unknown }

export type ReadVariable = <T>(
  variable: string,
  schema: v.GenericSchema<string, T>,
) => T | undefined

/** Reads one variable; unset or blank is `undefined`, a value that does not parse is a problem and `undefined`. */
export function variableReader(env: Variables, problems: ConfigProblem[]): ReadVariable {
  return (variable, schema) => {
    const text = trimmedText(env[variable])
    if (text === '') return undefined
    const result = v.safeParse(schema, text, { abortEarly: true })
    if (result.success) return result.output
    problems.push({ variable, expected: result.issues[0].message })
    return undefined
  }
}

export function trimmedText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).trim()
}

export function integerBetween(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  )
}

export const days = v.pipe(
  v.string(),
  v.regex(/^\d{1,4}(\.\d{1,6})?$/, 'a number of days'),
  v.transform(Number),
  v.minValue(0.000_01, 'a number of days above 0'),
)

export const text = v.string()
