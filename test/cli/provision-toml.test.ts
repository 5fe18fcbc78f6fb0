import { parse } from '@decimalturn/toml-patch'
import { describe, expect, it } from 'vitest'
import { varsOf, withVars } from '../../src/cli/lib/wrangler-toml.ts'
import { TOML } from './provision-support.ts'

const VARS = {
  AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x',
  AEP_FLOW_ID: 'f',
  AEP_FORMAT: 'raw',
}

const linesOf = (toml: string) => toml.split('\n')

describe('[vars] of wrangler.toml', () => {
  it('are written below what explains them, and every line of the file stays', () => {
    const written = withVars(TOML, VARS)
    expect(varsOf(written)).toEqual(VARS)
    const added = linesOf(written).filter((line) => !linesOf(TOML).includes(line))
    expect(added).toEqual([
      '[vars]',
      ...Object.entries(VARS).map(([name, value]) => `${name} = "${value}"`),
    ])
    expect(linesOf(TOML).filter((line) => !linesOf(written).includes(line))).toEqual([])
    expect(written.indexOf('\n[vars]')).toBeGreaterThan(written.indexOf('# [vars]'))
    expect(written.indexOf('\n[vars]')).toBeLessThan(written.indexOf('[[durable_objects'))
    const { vars: _, ...others } = parse(written)
    expect(JSON.stringify(others)).toBe(JSON.stringify(parse(TOML)))
  })

  it('written again are the same text', () => {
    const written = withVars(TOML, VARS)
    expect(withVars(written, VARS)).toBe(written)
  })

  it.each([
    [
      'a table that is there',
      'name = "x"\n\n# ours\n[vars]\n# mine\nOTHER = "1" # why\nAEP_FORMAT = "xdm" # old\n\n[triggers]\ncrons = []\n',
    ],
    ['no table, and no example', 'name = "x" # a\n\n# b\n[triggers]\ncrons = [] # c\n'],
    [
      'Windows line ends',
      'name = "x" # a\r\n\r\n# [vars]\r\n# A = "1"\r\n\r\n[triggers]\r\ncrons = []\r\n',
    ],
    ['an empty file', ''],
  ])('%s: comments and other values stay', (_, toml) => {
    const written = withVars(toml, VARS)
    expect(varsOf(written)).toEqual({ ...varsOf(toml), ...VARS })
    for (const comment of toml.match(/#.*/g) ?? []) expect(written).toContain(comment)
  })

  it('never hold a secret', () => {
    expect(() => withVars(TOML, { AEP_CLIENT_SECRET: 'x' })).toThrow('AEP_CLIENT_SECRET')
  })

  it('of a file that is no TOML are an error, not a guess', () => {
    expect(() => withVars('[vars\n', VARS)).toThrow()
  })
})
