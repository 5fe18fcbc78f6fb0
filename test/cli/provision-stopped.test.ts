/** Stopped anywhere, `provision` goes on from there and makes nothing twice. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Bench, callOf, type Fetch, oneOfEach, TOML, VARIANTS } from './provision-support.ts'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))
const CONSENT = ['--profile', '--yes']

/** As if the process ended with the n-th request: it is not sent, nor is any after it. */
class Killed extends Error {}

function killedAt(n: number): { fetch: Fetch; calls: () => number } {
  let calls = 0
  return {
    calls: () => calls,
    fetch: (input, init) => {
      calls += 1
      // Not an error that any network has: no code of the command may go on after it.
      if (calls >= n) return new Promise(() => {})
      return fetch(input, init)
    },
  }
}

async function runUntilKilled(bench: Bench, args: readonly string[], n: number): Promise<boolean> {
  const { fetch, calls } = killedAt(n)
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
        expect([n, (await bench.run([...args, '--status'])).code]).toEqual([n, 0])
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

describe('SIGKILL', () => {
  it('of the real command, at several moments: the next run finishes it', async () => {
    const bench = await Bench.start({ latencyMs: 0 })
    try {
      for (const count of [4, 20, 30]) {
        await killedForReal(bench, count)
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
async function killedForReal(bench: Bench, count: number): Promise<void> {
  const until = (await platformCalls(bench)) + count
  const child = spawn(process.execPath, [RUN, 'provision', '--config', bench.config], {
    env: { ...process.env, ...bench.env },
    stdio: 'ignore',
  })
  const exited = once(child, 'exit')
  while (child.exitCode === null && (await platformCalls(bench)) < until) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  child.kill('SIGKILL')
  expect((await exited)[1]).toBe('SIGKILL')
}

async function platformCalls(bench: Bench): Promise<number> {
  const response = await fetch(`${bench.adobe.url}/_/platform?count=1`)
  return ((await response.json()) as { count: number }).count
}
