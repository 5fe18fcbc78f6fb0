import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse } from '@decimalturn/toml-patch'
import { describe, expect, it } from 'vitest'
import { misplacedSettings, varsOf, withVars } from '../../src/cli/lib/wrangler-toml.ts'
import { readConfig } from '../../src/cli/provision/config-file.ts'
import type { Given } from '../../src/cli/provision/options.ts'
import { TOML } from './provision-support.ts'

const VARS = {
  AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x',
  AEP_FLOW_ID: 'f',
  AEP_FORMAT: 'raw',
}
const XDM = {
  ...VARS,
  AEP_FORMAT: 'xdm',
  AEP_ORG_ID: 'A@AdobeOrg',
  AEP_DATASET_ID: 'd',
  AEP_SCHEMA_ID: 's',
  AEP_SCHEMA_VERSION: '1',
  AEP_TENANT: 't',
  AEP_IMS_URL: 'https://ims.example.com',
}

function attempt(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}
const linesOf = (toml: string) => toml.split('\n')
const plain = (toml: string) => JSON.parse(JSON.stringify(parse(toml)))

describe('[vars] of wrangler.toml', () => {
  it('take the place of their examples, below what explains each of them, and no other line changes', () => {
    const written = withVars(TOML, XDM)
    expect(varsOf(written)).toEqual(XDM)
    const own = (name: string) => linesOf(written).indexOf(`${name} = "${varsOf(written)[name]}"`)
    const before = linesOf(TOML)
    for (const [at, line] of before.entries()) {
      const name = /^# ([A-Z_]+) = /.exec(line)?.[1] ?? ''
      if (XDM[name as keyof typeof XDM] === undefined) expect(written).toContain(line)
      else expect([line, own(name)]).toEqual([line, at])
    }
    // Without an example: beside its like.
    expect(linesOf(written).length).toBe(before.length + 1)
    expect(linesOf(written)[own('AEP_IMS_URL') - 1]).toMatch(/^#? ?AEP_/)
    const { vars: _, ...others } = parse(written)
    const { vars: __, ...rest } = parse(TOML)
    expect(JSON.stringify(others)).toBe(JSON.stringify(rest))
  })

  it('leave a comment that holds somebody’s own value, and stand below it', () => {
    const own = '# AEP_ENDPOINT = "https://dcs.adobedc.net/collection/4f9b1c0a7d"'
    const written = withVars(`[vars]\n${own}\n# AEP_FLOW_ID = ""\n`, VARS)
    expect(linesOf(written).slice(1, 4)).toEqual([
      own,
      `AEP_ENDPOINT = "${VARS.AEP_ENDPOINT}"`,
      'AEP_FLOW_ID = "f"',
    ])
  })

  it('stand where the commented settings stand: one that is uncommented is a setting', () => {
    const commented = linesOf(TOML).filter((line) => /^# [A-Z][A-Z_]+ = /.test(line))
    expect(commented.length).toBeGreaterThan(12)
    for (const line of commented) {
      const name = /^# ([A-Z_]+)/.exec(line)?.[1] ?? ''
      expect(Object.keys(varsOf(TOML.replace(line, line.slice(2))))).toEqual([name])
    }
  })

  it('keep together when formats change, and what is set is changed in its place', () => {
    const both = withVars(withVars(TOML, XDM), { ...VARS, AEP_FLOW_ID: 'g' })
    expect(varsOf(both)).toEqual({ ...XDM, ...VARS, AEP_FLOW_ID: 'g' })
    const set = linesOf(both).flatMap((line, at) => (/^[A-Z_]+ = /.test(line) ? [at] : []))
    expect(set.length).toBe(Object.keys(XDM).length)
    const between = linesOf(both).slice(set[0], set.at(-1))
    expect(between.filter((line) => line === '' || line.startsWith('['))).toEqual([])
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
    [
      'an example in a comment of an earlier version',
      'name = "x"\n# [vars]\n# AEP_FORMAT = "raw"\n# why\n\n[a]\n',
    ],
    ['an inline table', 'name = "x" # n\nvars = { AEP_FORMAT = "xdm" }\n[a]\nb = 1 # b\n'],
    ['a value over several lines', '[vars]\nAEP_FORMAT = """\nxdm"""\n# why\n[a]\n'],
    [
      'quotes, escapes and blanks',
      '[ vars ] # v\nAEP_FLOW_ID   = \'a#b\' # f\n"AEP_FORMAT" = "x\\"#m" # q\n',
    ],
    ['an empty file', ''],
  ])('%s: comments and other values stay, and line ends', (_, toml) => {
    for (const env of [null, 'shop']) {
      const written = withVars(toml, VARS, env)
      expect(varsOf(written, env)).toEqual({ ...varsOf(toml, env), ...VARS })
      for (const comment of toml.match(/(?:^| )#[^\r\n"']*(?=\r?$)/gm) ?? [])
        expect(written).toContain(comment)
      if (toml.includes('\r\n')) expect(written).not.toMatch(/[^\r]\n/)
      else expect(written).not.toContain('\r')
      expect(withVars(written, VARS, env)).toBe(written)
    }
  })

  it('never hold a secret', () => {
    expect(() => withVars(TOML, { AEP_CLIENT_SECRET: 'x' })).toThrow('AEP_CLIENT_SECRET')
  })

  it('of a file that is no TOML, or none, are refused with its name and its line, and not with what stands there', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'provision-toml-'))
    const config = path.join(directory, 'my.toml')
    writeFileSync(config, 'name = "relay"\r\nWEBHOOK_KEYS = "a-key-of-somebody\r\n')
    const said = (file: string) => {
      const given = { config: file, env: null, mode: 'make', print: false } as Given
      return String(attempt(() => readConfig(given)))
    }
    expect(said(config)).toMatch(/my\.toml, line 2: \w/)
    expect(said(config)).not.toContain('somebody')
    expect(said(directory)).toBe(`Error: ${directory} is a directory.`)
    rmSync(directory, { recursive: true })
  })

  it('of a file that is no TOML are an error, not a guess', () => {
    expect(() => withVars('[vars\n', VARS)).toThrow()
  })
})

describe('a named environment', () => {
  it('gets a table, an outbox and a limit of its own, and nothing else changes', () => {
    const production = withVars(TOML, VARS)
    const written = withVars(production, XDM, 'staging')
    expect(written.startsWith(production.trimEnd())).toBe(true)
    const { env, ...others } = plain(written)
    expect(others).toEqual(plain(production))
    const [limit] = others.ratelimits
    expect(env).toEqual({
      staging: {
        routes: [],
        workers_dev: true,
        vars: XDM,
        durable_objects: others.durable_objects,
        version_metadata: others.version_metadata,
        ratelimits: [{ ...limit, namespace_id: String(Number(limit.namespace_id) + 1) }],
      },
    })
  })

  it('is changed alone when there are several', () => {
    const first = withVars(withVars(TOML, VARS, 'staging'), VARS, 'shop')
    const second = withVars(first, { AEP_FLOW_ID: 'other' }, 'staging')
    expect(varsOf(second, 'staging')).toEqual({ ...VARS, AEP_FLOW_ID: 'other' })
    const changed = linesOf(second).filter((line, at) => line !== linesOf(first)[at])
    expect(changed).toEqual(['AEP_FLOW_ID = "other"'])
    const ids = [...second.matchAll(/namespace_id = "(\d+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(3)
  })

  it('keeps what it has', () => {
    const own = '[env.shop]\nroute = "r"\nratelimits = []\ndurable_objects.bindings = []\n'
    const { env } = plain(withVars(`name = "x"\n${own}`, VARS, 'shop'))
    expect(env.shop).toEqual({
      route: 'r',
      ratelimits: [],
      durable_objects: { bindings: [] },
      vars: VARS,
    })
  })

  it('has a name that a table can have', () => {
    expect(() => withVars(TOML, VARS, 'a.b')).toThrow('name of an environment')
  })
})

describe('a setting in a table where wrangler does not look for it', () => {
  it('is found, and none in [vars]', () => {
    const toml = `AEP_FLOW_ID = "f"\n[observability.traces]\nPUBLIC_URL = "x"\n[vars]\nPUBLIC_URL = "y"\n
[env.shop]\nAEP_FORMAT = "raw"\n[env.shop.vars]\nAEP_FORMAT = "raw"\n[[ratelimits]]\nAEP_FORMAT = "raw"\n`
    const names = new Set(['AEP_FLOW_ID', 'PUBLIC_URL', 'AEP_FORMAT'])
    expect(misplacedSettings(toml, names)).toEqual([
      { name: 'AEP_FLOW_ID', table: 'the top level' },
      { name: 'PUBLIC_URL', table: 'observability.traces' },
      { name: 'AEP_FORMAT', table: 'env.shop' },
      { name: 'AEP_FORMAT', table: 'ratelimits' },
    ])
  })
})
