import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type Call,
  clientOf,
  FLOWS,
  flowOf,
  makeRawChain,
  NAMESPACE,
  NAMESPACES,
} from './client.ts'

const RUN = fileURLToPath(new URL('../../../src/cli/run.mjs', import.meta.url))

let directory: string
let stateFile: string
const started: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'local-adobe-'))
  stateFile = path.join(directory, 'state.json')
})
afterEach(async () => {
  for (const child of started.splice(0)) await kill(child)
  await rm(directory, { recursive: true })
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function run(...args: string[]) {
  const child = spawn(process.execPath, [RUN, 'local-adobe', ...args])
  started.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  return { child, output: () => output }
}

/** Resolves with its exit code and everything it printed. */
async function ended(...args: string[]) {
  const { child, output } = run(...args)
  const [code] = await once(child, 'close')
  return { code, output: output() }
}

async function serve(...args: string[]): Promise<{ child: ChildProcess; call: Call; url: string }> {
  const { child, output } = run('--port', '0', '--flow-enable-ms', '0', ...args)
  while (!output().includes('state')) await once(child.stdout, 'data')
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0] ?? ''
  return { child, url, call: await clientOf(url) }
}

describe('npm run local-adobe', () => {
  it('keeps in its state file what was made, through a SIGKILL and on another port', async () => {
    const first = await serve('--state', stateFile)
    const chain = await makeRawChain(first.call)
    await first.call('POST', NAMESPACES, NAMESPACE)
    const before = await flowOf(first.call, chain.flowId)
    await kill(first.child)
    const second = await serve('--state', stateFile)
    const after = await flowOf(second.call, chain.flowId)
    expect(after.etag).toBe(before.etag)
    expect(after.options.inletUrl).toBe(before.options.inletUrl.replace(first.url, second.url))
    expect((await second.call('POST', NAMESPACES, NAMESPACE)).status).toBe(409)
    const record = { _id: 'a', timestamp: '2026-01-01T00:00:00Z', visitor: { UUID: 'u' } }
    const headers = { 'x-adobe-flow-id': chain.flowId }
    await second.call('POST', after.options.inletUrl, record, headers)
    expect((await second.call('GET', '/_/lake')).body.events[0].datasetId).toBe(chain.dataSetId)
  })

  it('has every answered change in the file, and leaves nothing beside it', async () => {
    const { call } = await serve('--state', stateFile)
    const { body } = await call('POST', NAMESPACES, NAMESPACE)
    const stored = JSON.parse(await readFile(stateFile, 'utf8'))
    expect(stored.resources.namespaces[0].id).toBe(String(body.id))
    expect(await readdir(directory)).toEqual(['state.json'])
  })

  it('forgets without a state file', async () => {
    const first = await serve()
    await makeRawChain(first.call)
    await kill(first.child)
    const second = await serve()
    expect((await second.call('GET', `${FLOWS}/flows`)).body.items).toEqual([])
  })

  it.each([
    ['no JSON', 'hello'],
    ['JSON of something else', '{"name":"my notes"}'],
  ])('ends with 2 on a file that is %s, and leaves it alone', async (_, content) => {
    await writeFile(stateFile, content)
    const { code, output } = await ended('--port', '0', '--state', stateFile)
    expect(code).toBe(2)
    expect(output).toContain(stateFile)
    expect(await readFile(stateFile, 'utf8')).toBe(content)
  })

  it('refuses a state file in a directory that is not there, before it makes anything', async () => {
    const file = path.join(directory, 'none', 'state.json')
    const { code, output } = await ended('--port', '0', '--state', file)
    expect(code).toBe(2)
    expect(output).toContain(`The state file ${file} cannot be made (ENOENT)`)
  })

  it('ends with 2 on a file that cannot be read', async () => {
    const { code, output } = await ended('--port', '0', '--state', directory)
    expect(code).toBe(2)
    expect(output).toContain('cannot be read')
  })

  it('ends with 2 on a port that is in use, with a word about it', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address ? String(address.port) : ''
    const { code, output } = await ended('--port', port)
    expect([code, output]).toEqual([2, expect.stringContaining('is in use')])
    other.close()
  })

  it.each([['--port', 'none'], ['--mode', 'other'], ['--flow-enable-ms', '-1'], ['--none']])(
    'ends with 2 on %s %s',
    async (...args) => {
      const { code, output } = await ended(...args)
      expect(code).toBe(2)
      expect(output).toContain(args[0])
    },
  )

  it('explains itself', async () => {
    const { code, output } = await ended('--help')
    expect(code).toBe(0)
    expect(output).toMatch(/^Usage: npm run local-adobe/)
  })
})
