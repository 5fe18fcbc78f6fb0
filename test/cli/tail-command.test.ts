/** `npm run tail` as a command: where it reads from and how it ends; and the help of the commands around it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/tail/main.ts'
import { ACCOUNT_ID, API_TOKEN, startLocalCloudflare } from './local-cloudflare/server.ts'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))
const AT = Date.UTC(2026, 10, 24, 9, 15, 2)
const LINE = {
  event: 'webhook',
  id: '3f2a9c1b2d4e',
  kind: 'transcript',
  outcome: 'forwarded',
  status: 200,
  ms: 180,
}
const EVENT = {
  outcome: 'ok',
  eventTimestamp: AT,
  logs: [{ level: 'log', timestamp: AT, message: [JSON.stringify(LINE)] }],
}

let output: string[]
beforeEach(() => {
  output = []
  vi.spyOn(console, 'log').mockImplementation((text: string) => output.push(text))
})

describe('the command', () => {
  it('reads what is piped into it', async () => {
    const child = spawn(process.execPath, [RUN, 'tail'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    child.stdin.end(JSON.stringify(EVENT, null, 4))
    let text = ''
    for await (const chunk of child.stdout) text += chunk
    expect(text).toBe('09:15:02  webhook     transcript forwarded 200 3f2a9c1b 180 ms\n')
  })

  it('follows with wrangler when nothing is piped, and ends with 1 and its words when that fails', async () => {
    const cloudflare = await startLocalCloudflare()
    const logs = mkdtempSync(path.join(tmpdir(), 'tail-test-'))
    const child = spawn(process.execPath, [RUN, 'tail'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        CLOUDFLARE_API_BASE_URL: cloudflare.url,
        CLOUDFLARE_API_TOKEN: API_TOKEN,
        CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID,
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_LOG_PATH: logs,
      },
    })
    const exited = once(child, 'exit')
    let text = ''
    for await (const chunk of child.stderr) text += chunk
    expect(await exited).toEqual([1, null])
    await cloudflare.close()
    rmSync(logs, { recursive: true })
    expect(text).toContain('This Worker does not exist on your account.')
  })

  it('ends, without a word, once nobody reads what it prints', async () => {
    const child = spawn(process.execPath, [RUN, 'tail'], { stdio: 'pipe' })
    const closed = once(child, 'close')
    let complaints = ''
    child.stderr.on('data', (text) => {
      complaints += text
    })
    // It goes while this writes.
    child.stdin.on('error', () => {})
    const line = `${JSON.stringify(EVENT)}\n`
    child.stdin.write(line)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const more = setInterval(() => child.stdin.write(line), 10)
    const ended = await closed
    clearInterval(more)
    expect([ended, complaints]).toEqual([[0, null], ''])
  })

  it('ends with 2 when the file cannot be read', async () => {
    vi.spyOn(console, 'error').mockImplementation((text: string) => output.push(text))
    expect(await main(['--file', 'no/such/none.json'])).toBe(2)
    expect(output.join('')).toContain('none.json')
  })

  it.each(['deploy', 'verify', 'send', 'tail'])('%s explains itself with --help', async (name) => {
    const { main: command } = await import(`../../src/cli/${name}/main.ts`)
    expect(await command(['--help'])).toBe(0)
    expect(output.join('\n')).toMatch(new RegExp(`^Usage: npm run ${name} -- `))
    const lines = output.join('\n').split('\n')
    expect(lines.filter((line) => line.length > 96)).toEqual([])
  })
})
