/** Stopped anywhere, `provision` goes on from there and makes nothing twice. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { processTerminal } from '../../src/cli/lib/terminal.ts'
import { Bench, callOf, type Fetch, oneOfEach, TOML, VARIANTS } from './provision-support.ts'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))
const CONSENT = ['--profile', '--yes']

/** As if the process ended with the n-th request: it is not sent, nor is any after it. */
class Killed extends Error {}

function killedAt(n: number, direct: Fetch): { fetch: Fetch; calls: () => number } {
  let calls = 0
  return {
    calls: () => calls,
    fetch: (input, init) => {
      calls += 1
      // Not an error that any network has: no code of the command may go on after it.
      if (calls >= n) return new Promise(() => {})
      return direct(input, init)
    },
  }
}

async function runUntilKilled(bench: Bench, args: readonly string[], n: number): Promise<boolean> {
  const { fetch, calls } = killedAt(n, bench.direct)
  const hung = (async () => {
    while (calls() < n) await new Promise((resolve) => setTimeout(resolve, 1))
    throw new Killed()
  })()
  const ran = bench.run(args, { fetch })
  try {
    await Promise.race([ran, hung])
    return false
  } catch (error) {
    if (error instanceof Killed) return true
    throw error
  }
}

describe.each(VARIANTS)('killed between any two calls, %s', (_, variant) => {
  const args = [...variant, ...CONSENT]

  it('and run again: one of each, nothing doubled', async () => {
    let n = 1
    for (let isKilled = true; isKilled; n += 1) {
      const bench = await Bench.start()
      try {
        isKilled = await runUntilKilled(bench, args, n)
        if (isKilled) expect(bench.toml).toBe(TOML)
        const { code, err } = await bench.run(args)
        expect([n, code, err]).toEqual([n, 0, ''])
        expect([n, await bench.counts()]).toEqual([n, oneOfEach(variant)])
        const status = await bench.run([...args, '--status'])
        expect([n, status.code]).toEqual([n, 0])
      } finally {
        await bench.stop()
      }
    }
    expect(n).toBeGreaterThan(30)
  })
})

describe('an answer that is lost', () => {
  it.each(VARIANTS)('%s: what was made all the same is found, not made again', async (_, args) => {
    const bench = await Bench.start()
    try {
      const lost = new Set<string>()
      const { code, err } = await bench.run(args, {
        fetch: async (input, init) => {
          const response = await fetch(input, init)
          const call = `${callOf(input, init)} ${String(init?.body).slice(0, 200)}`
          if (init?.method !== 'POST' || !call.includes('/data/') || lost.has(call)) return response
          lost.add(call)
          throw new TypeError('fetch failed')
        },
      })
      expect(err).toBe('')
      expect(code).toBe(0)
      expect(lost.size).toBeGreaterThan(8)
      expect(await bench.counts()).toEqual(oneOfEach(args))
    } finally {
      await bench.stop()
    }
  })
})

describe('Ctrl-C', () => {
  it('ends the real command with 130, and says how to go on', async () => {
    const bench = await Bench.start()
    try {
      for (const count of [4, 30]) {
        const { exit, err } = await endedForReal(bench, count, 'SIGINT')
        expect(exit).toEqual([130, null])
        expect(err.replaceAll(/\s+/g, ' ')).toContain(
          `${bench.config} was not changed. Run the same command again`,
        )
        expect(bench.toml).toBe(TOML)
      }
      // What was made a moment ago needs its time, whoever has made it.
      const { code, out } = await bench.run([])
      expect(code).toBe(0)
      expect(out).toContain('five minutes')
      expect(await bench.counts()).toEqual(oneOfEach([]))
    } finally {
      await bench.stop()
    }
  })

  it('at a wait is left to the command: what shows the wait takes no key and no signal', () => {
    const tty = { value: true, configurable: true }
    const streams = [process.stdin, process.stdout]
    const before = streams.map((stream) => Object.getOwnPropertyDescriptor(stream, 'isTTY'))
    for (const stream of streams) Object.defineProperty(stream, 'isTTY', tty)
    const listeners = () => [
      process.listenerCount('SIGINT'),
      process.listenerCount('exit'),
      process.stdin.listenerCount('keypress'),
    ]
    const counts = listeners()
    const written: string[] = []
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0)
    const end = processTerminal().busy('Waiting for Adobe')
    expect(listeners()).toEqual(counts)
    end('Done')
    for (const [at, stream] of streams.entries()) {
      Object.defineProperty(stream, 'isTTY', before[at] ?? { value: undefined, configurable: true })
    }
    expect(written.join('')).toMatch(/Waiting for Adobe[\s\S]*Done\n$/)
  })
})

describe('SIGKILL', () => {
  it('of the real command, at several moments: the next run finishes it', async () => {
    const bench = await Bench.start({ latencyMs: 0 })
    try {
      for (const count of [4, 20, 30]) {
        const { exit } = await endedForReal(bench, count, 'SIGKILL')
        expect(exit).toEqual([null, 'SIGKILL'])
        expect(bench.toml).toBe(TOML)
      }
      const { code } = await bench.run([])
      expect(code).toBe(0)
      expect(await bench.counts()).toEqual(oneOfEach([]))
    } finally {
      await bench.stop()
    }
  })
})

/** Ends the command as soon as Adobe has seen so many more requests. */
async function endedForReal(bench: Bench, count: number, signal: NodeJS.Signals) {
  const until = (await platformCalls(bench)) + count
  const child = spawn(process.execPath, [RUN, 'provision', '--config', bench.config], {
    env: { ...process.env, ...bench.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (text) => {
    err += text
  })
  const exited = once(child, 'close')
  while (child.exitCode === null && (await platformCalls(bench)) < until) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  child.kill(signal)
  return { exit: await exited, err }
}

async function platformCalls(bench: Bench): Promise<number> {
  const response = await fetch(`${bench.adobe.url}/_/platform?count=1`)
  return ((await response.json()) as { count: number }).count
}
