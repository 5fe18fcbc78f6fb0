/** What comes from outside: answers without an end, secrets that a server repeats, control characters, files of Windows. */

import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { environmentOf } from '../../src/cli/lib/env-file.ts'
import { platformClient } from '../../src/cli/lib/platform-client.ts'
import { keepSecret, printable, printableLines } from '../../src/cli/lib/printable.ts'
import { askAdmin } from '../../src/cli/lib/relay-reply.ts'
import { paint } from '../../src/cli/lib/style.ts'
import { linesOf } from '../../src/cli/lib/text.ts'
import { main as tail } from '../../src/cli/tail/main.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'outside-'))
})
afterEach(() => rm(directory, { recursive: true }))

const SETTINGS = {
  clientId: 'client',
  clientSecret: 'the-secret-of-the-client',
  orgId: 'o@AdobeOrg',
  sandbox: 'prod',
  scopes: 'openid',
  imsUrl: 'https://ims.test',
  platformUrl: 'https://platform.test',
}
const TOKEN = 'the-token-that-was-given-out'

function client(answer: (url: string) => Response | Promise<Response>) {
  const waits: string[] = []
  const fetch = (async (url: string) =>
    url.includes('/ims/') ? Response.json({ access_token: TOKEN }) : answer(url)) as never
  const io = { fetch, sleep: async () => {}, random: () => 0 }
  return { waits, ...platformClient(SETTINGS, io, { waiting: (what) => waits.push(what) }) }
}

/** 64 KiB as often as somebody reads; ended after 64 MiB, so that a reader without a limit fails and does not hang. */
function endless(seen: { bytes: number }): Response {
  return new Response(
    new ReadableStream({
      pull(controller) {
        seen.bytes += 65_536
        if (seen.bytes > 67_108_864) return controller.close()
        controller.enqueue(new Uint8Array(65_536).fill(0x20))
      },
    }),
  )
}

describe('an answer that never ends', () => {
  it('of the Platform APIs is given up after some megabytes', async () => {
    const seen = { bytes: 0 }
    const { send } = client(() => endless(seen))
    await expect(send({ method: 'GET', path: '/data/x' })).rejects.toThrow('does not end')
    expect(seen.bytes).toBeLessThan(18_000_000)
  })

  it('of the token endpoint after some kilobytes', async () => {
    const seen = { bytes: 0 }
    const io = {
      fetch: (async () => endless(seen)) as never,
      sleep: async () => {},
      random: () => 0,
    }
    const { send } = platformClient(SETTINGS, io)
    await expect(send({ method: 'GET', path: '/data/x' })).rejects.toThrow('/ims/token/v3')
    expect(seen.bytes).toBeLessThan(2_000_000)
  })
})

describe('a token endpoint that cannot be reached', () => {
  it('is named with its host after two attempts, not five', async () => {
    let attempts = 0
    const fetch = (async () => {
      attempts += 1
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error(), { code: 'ENOTFOUND' }),
      })
    }) as never
    const { send } = platformClient(SETTINGS, { fetch, sleep: async () => {}, random: () => 0 })
    await expect(send({ method: 'GET', path: '/data/x' })).rejects.toThrow(
      'POST https://ims.test/ims/token/v3: no answer (ENOTFOUND)',
    )
    expect(attempts).toBe(2)
  })

  it('gives a sign of life while it hangs', async () => {
    vi.useFakeTimers()
    const waits: string[] = []
    const io = {
      fetch: (() => new Promise(() => {})) as never,
      sleep: async () => {},
      random: () => 0,
    }
    void platformClient(SETTINGS, io, { waiting: (what) => waits.push(what) }).send({
      method: 'GET',
      path: '/data/x',
    })
    await vi.advanceTimersByTimeAsync(3_000)
    vi.useRealTimers()
    expect(waits).toEqual(['No answer from ims.test yet…'])
  })
})

describe('a secret', () => {
  it('that a server repeats is not printed, in none of its forms', async () => {
    const { send } = client(() =>
      Response.json(
        { title: `no: ${SETTINGS.clientSecret}`, detail: `Bearer ${TOKEN} in /x?t=${TOKEN}` },
        { status: 400 },
      ),
    )
    const error = await send({ method: 'GET', path: '/data/x' }).catch((one: Error) => one)
    const shown = printableLines(String(error))
    expect(shown).toContain('400')
    for (const secret of [TOKEN, SETTINGS.clientSecret]) expect(shown).not.toContain(secret)
    keepSecret('p@ss/word+"x"')
    for (const form of [
      'p@ss/word+"x"',
      encodeURIComponent('p@ss/word+"x"'),
      'p@ss/word+\\"x\\"',
    ]) {
      expect(printable(`a ${form} b`)).toBe('a … b')
    }
  })

  it('of an operator is not printed by any command that has sent it', async () => {
    const adminToken = 'operators-token-number-one'
    const repeated = Response.json({ code: 'x', detail: `no ${adminToken}` }, { status: 400 })
    vi.spyOn(globalThis, 'fetch').mockResolvedValue(repeated)
    const reply = await askAdmin({ base: 'https://relay.example.com', adminToken }, 'erase', {})
    expect(reply).toMatchObject({ by: 'relay', status: 400 })
    expect(printableLines(JSON.stringify(reply))).not.toContain(adminToken)
  })

  it('of a few characters would hide words, and is none', () => {
    keepSecret('a')
    expect(printable('a banana')).toBe('a banana')
  })
})

describe('control characters', () => {
  it.each(['\u001b[8m', '\u001b[1;8m', '\u001b[2J', '\u009b8m', '\r', '\u202e', '\u0007'])(
    'are shown: %j',
    (sequence) => {
      for (const show of [printable, printableLines]) {
        const shown = show(`a${sequence}b`)
        expect(shown).toMatch(/^a\\/)
        expect(shown).not.toContain(sequence)
      }
    },
  )

  it('of our own colours, line ends and tabs stay', () => {
    const own = `${'\u001b[32m'}ok${'\u001b[39m'}\n\t${paint('bold', 'x')}`
    expect(printableLines(own)).toBe(own)
  })
})

const utf16 = (text: string, mark = '\ufeff') => Buffer.from(`${mark}${text}`, 'utf16le')

describe('--env-file', () => {
  const TEXT = 'AEP_CLIENT_ID=one\r\nAEP_ORG_ID="two"\r\n'

  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16, as PowerShell writes it', utf16(TEXT)],
    ['UTF-16 without a mark', utf16(TEXT, '')],
    ['UTF-16, the other way round', Buffer.from(utf16(TEXT)).swap16()],
  ])('of %s has every variable', (_, bytes) => {
    const file = path.join(directory, 'x.env')
    writeFileSync(file, bytes)
    expect(environmentOf({}, file)).toEqual({ AEP_CLIENT_ID: 'one', AEP_ORG_ID: 'two' })
  })

  it('says from where it is looked for: npm starts a command at the root of the project', () => {
    expect(() => environmentOf({}, 'no/such.env')).toThrow(
      `no/such.env (--env-file) is not there: it is looked for from ${process.cwd()}.`,
    )
  })

  it('says what it is when it is not there, a directory, or no text', () => {
    const binary = path.join(directory, 'binary')
    writeFileSync(binary, Buffer.from([1, 2, 0, 0, 3, 0, 4]))
    expect(() => environmentOf({}, path.join(directory, 'none'))).toThrow('is not there')
    expect(() => environmentOf({}, directory)).toThrow('is a directory')
    expect(() => environmentOf({}, binary)).toThrow('no text file')
  })
})

describe('tail', () => {
  const EVENT = JSON.stringify(
    {
      outcome: 'ok',
      eventTimestamp: 0,
      logs: [
        { level: 'log', timestamp: 0, message: ['{"event":"webhook","outcome":"forwarded"}'] },
      ],
    },
    null,
    4,
  )

  it.each([
    ['UTF-8', Buffer.from(`${EVENT}\n`)],
    ['a redirect of PowerShell', utf16(`${EVENT.replaceAll('\n', '\r\n')}\r\n`)],
  ])('reads %s', async (_, bytes) => {
    const file = path.join(directory, 'tail.json')
    writeFileSync(file, bytes)
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line))
    expect(await tail(['--file', file])).toBe(0)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('forwarded')
  })

  it('ends with 2 for a directory and for a file that is not there', async () => {
    const complaints: string[] = []
    vi.spyOn(console, 'error').mockImplementation((line: string) => complaints.push(line))
    expect(await tail(['--file', directory])).toBe(2)
    expect(await tail(['--file', path.join(directory, 'none')])).toBe(2)
    expect(complaints.join()).toMatch(/is a directory.*is not there/)
  })

  it('gives a line that never ends in pieces, so that memory does not grow', async () => {
    async function* chunks() {
      for (let at = 0; at < 400; at += 1) yield new Uint8Array(65_536).fill(0x61)
    }
    const lengths: number[] = []
    for await (const line of linesOf(chunks())) lengths.push(line.length)
    expect(lengths.length).toBeGreaterThan(5)
    expect(Math.max(...lengths)).toBeLessThan(5_000_000)
  })

  it('cuts no character, wherever a chunk ends', async () => {
    const text = 'ä€😀\nzweite\r\nende'
    for (const bytes of [Buffer.from(text), utf16(text)]) {
      async function* chunks() {
        for (const byte of bytes) yield new Uint8Array([byte])
      }
      expect(await Array.fromAsync(linesOf(chunks()))).toEqual(['ä€😀', 'zweite', 'ende'])
    }
  })
})
