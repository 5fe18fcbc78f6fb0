/** Group commit: what arrives while a write is being made durable shares the next one. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GroupCommit } from '../../../src/worker/outbox/group-commit.ts'

/** A store that is made durable when the test says so. `fails`: items that cannot be written. */
function startStore(fails: ReadonlySet<number> = new Set()) {
  const writes: number[][] = []
  const syncs: PromiseWithResolvers<void>[] = []
  const commit = new GroupCommit<number, string>(
    (items) => {
      if (items.some((item) => fails.has(item))) throw new RangeError(String(items))
      writes.push([...items])
      return items.map((item) => `written ${item}`)
    },
    () => {
      const sync = Promise.withResolvers<void>()
      syncs.push(sync)
      return sync.promise
    },
  )
  return { commit, writes, syncs }
}

/** Lets every continuation run that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0))

describe('a group commit', () => {
  it('writes a lone item at once', async () => {
    const { commit, writes } = startStore()
    const added = commit.add(1)
    expect(writes).toEqual([[1]])
    expect(await added).toBe('written 1')
  })

  it('writes together what arrives while a write is being made durable, in the order of arrival', async () => {
    const { commit, writes, syncs } = startStore()
    const added = [1, 2, 3, 4].map((item) => commit.add(item))
    await settle()
    expect(writes).toEqual([[1]])
    syncs[0]?.resolve()
    expect(await Promise.all(added)).toEqual(['written 1', 'written 2', 'written 3', 'written 4'])
    expect(writes).toEqual([[1], [2, 3, 4]])
  })

  it('writes together what comes together, though nothing is being made durable', async () => {
    const { commit, writes } = startStore(new Set([2]))
    const added = await Promise.allSettled(commit.addAll([1, 2, 3]))
    expect(added.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(writes).toEqual([[1], [3]])
    expect(commit.addAll([])).toEqual([])
    const { commit: other, writes: whole } = startStore()
    await Promise.all(other.addAll([1, 2, 3]))
    expect(whole).toEqual([[1, 2, 3]])
  })

  it('writes the next item at once when all is durable', async () => {
    const { commit, writes, syncs } = startStore()
    await commit.add(1)
    syncs[0]?.resolve()
    await settle()
    void commit.add(2)
    expect(writes).toEqual([[1], [2]])
  })

  it('goes on after a write that could not be made durable', async () => {
    const { commit, writes, syncs } = startStore()
    await commit.add(1)
    const waiting = commit.add(2)
    syncs[0]?.reject(new Error('disk gone'))
    expect(await waiting).toBe('written 2')
    syncs[1]?.resolve()
    await settle()
    expect(await commit.add(3)).toBe('written 3')
    expect(writes).toEqual([[1], [2], [3]])
  })

  it('goes on after a sync that throws at once, too', async () => {
    let broken = true
    const commit = new GroupCommit<number, number>(
      (items) => [...items],
      () => {
        if (broken) throw new Error('disk gone')
        return Promise.resolve()
      },
    )
    expect(await Promise.all([commit.add(1), commit.add(2)])).toEqual([1, 2])
    broken = false
    expect(await commit.add(3)).toBe(3)
  })

  it('writes what waits on demand, and none of it twice', async () => {
    const { commit, writes, syncs } = startStore()
    const added = [1, 2, 3].map((item) => commit.add(item))
    commit.flush()
    expect(writes).toEqual([[1], [2, 3]])
    expect(await Promise.all(added)).toEqual(['written 1', 'written 2', 'written 3'])
    syncs[0]?.resolve()
    await settle()
    commit.flush()
    expect(await commit.add(4)).toBe('written 4')
    expect(writes).toEqual([[1], [2, 3], [4]])
  })

  it('never loses, repeats or mixes up an item, and fails only those that cannot be written', async () => {
    const steps = fc.array(fc.oneof(fc.constant('sync' as const), fc.integer({ min: 1, max: 4 })))
    const failing = fc.array(fc.nat(30))
    await fc.assert(
      fc.asyncProperty(steps, failing, async (given, list) => {
        const fails = new Set(list)
        const { commit, writes, syncs } = startStore(fails)
        const added: Promise<string>[] = []
        for (const step of given) {
          if (step === 'sync') syncs.shift()?.resolve()
          else for (let n = 0; n < step; n += 1) added.push(commit.add(added.length))
          await Promise.resolve()
        }
        const results = Promise.allSettled(added)
        let done = false
        void results.then(() => {
          done = true
        })
        while (!done) {
          syncs.shift()?.resolve()
          await settle()
        }
        for (const [item, result] of (await results).entries()) {
          if (fails.has(item)) expect(result.status).toBe('rejected')
          else expect(result).toEqual({ status: 'fulfilled', value: `written ${item}` })
        }
        const items = added.map((_, item) => item)
        const written = writes.flat().sort((a, b) => a - b)
        expect(written).toEqual(items.filter((item) => !fails.has(item)))
      }),
      { numRuns: 50 },
    )
  })
})
