/**
 * `provision` on a real terminal, which `script` makes (every Linux and macOS has it): what is asked, what comes of each
 * answer, and that what moves stays on its line.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { varsOf, withVars } from '../../src/cli/lib/wrangler-toml.ts'
import { Bench, oneOfEach, TOML } from './provision-support.ts'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))
const COLUMNS = 80
const [CTRL_C, YES, NO, ENTER] = ['\u0003', 'y', 'n', '\r']
const QUESTION = /sandbox prod.*\?[\s\S]*Yes/

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

type Shown = { code: number | null; text: string; raw: string }

/** Answers the first question with this key. */
async function onTerminal(key: string, ...args: string[]): Promise<Shown> {
  const command = [process.execPath, RUN, 'provision', '--config', bench.config, ...args]
  const inside = `stty cols ${COLUMNS}; exec ${command.map((word) => `'${word}'`).join(' ')}`
  const isMac = process.platform === 'darwin'
  const child = spawn(
    'script',
    isMac ? ['-q', '/dev/null', 'sh', '-c', inside] : ['-qefc', inside, '/dev/null'],
    { env: { ...process.env, ...bench.env }, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const exited = once(child, 'close')
  let raw = ''
  let isAnswered = false
  child.stdout.setEncoding('utf8').on('data', (text) => {
    raw += text
    if (isAnswered || !QUESTION.test(stripVTControlCharacters(raw))) return
    isAnswered = true
    child.stdin.write(key)
  })
  const [code] = await exited
  return { code, text: stripVTControlCharacters(raw), raw }
}

describe('the question on a terminal', () => {
  it.each([
    ['Ctrl-C', CTRL_C, 130, 'Interrupted. Nothing was changed.'],
    ['no', NO, 2, 'Nothing was changed.'],
    ['Enter alone', ENTER, 2, 'Nothing was changed.'],
  ])('%s ends it, and nothing is made', async (_, key, exit, said) => {
    const { code, text } = await onTerminal(key)
    expect([code, text]).toEqual([exit, expect.stringContaining(said)])
    expect(bench.toml).toBe(TOML)
    expect(await bench.counts()).toMatchObject({ namespaces: 0, schemas: 0, flows: 0 })
  })

  it('shows what another dataflow would replace, and keeps it unless the answer is yes', async () => {
    const old = { AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/old', AEP_FLOW_ID: 'old-flow' }
    const before = withVars(TOML, old)
    writeFileSync(bench.config, before)
    for (const [key, exit] of [
      [CTRL_C, 130],
      [NO, 4],
    ] as const) {
      const { code, text } = await onTerminal(key)
      expect(code).toBe(exit)
      expect(text).toContain(`old  ${old.AEP_ENDPOINT}`)
      expect(text).toContain('Do this in sandbox prod, and replace these settings?')
      expect(bench.toml).toBe(before)
    }
    expect((await onTerminal(YES)).code).toBe(0)
    expect(varsOf(bench.toml).AEP_ENDPOINT).toContain(bench.adobe.url)
  })

  it('after a yes each thing has its line, and none is longer than the terminal is wide', async () => {
    const { code, raw } = await onTerminal(YES)
    expect(code).toBe(0)
    expect(await bench.counts()).toEqual(oneOfEach([]))
    // What is drawn in place, and what stays.
    const drawn = raw.split(/\r?\n|\r/).map((line) => stripVTControlCharacters(line))
    expect(drawn.filter((line) => line.includes('Making')).length).toBeGreaterThan(8)
    const isId = (line: string) => /^ +https:\S+$/.test(line)
    expect(drawn.filter((line) => line.length > COLUMNS && !isId(line))).toEqual([])
  })
})
