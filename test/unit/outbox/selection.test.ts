import { describe, expect, it } from 'vitest'
import { Selection } from '../../../src/worker/outbox/delivery/selection.ts'
import type { PendingQueue } from '../../../src/worker/outbox/storage/pending-queue.ts'

type Tried = { position: number; nextAt: number }

/** What a reader would find of these events, tried and untried. */
function selectionOf(untried: number[], tried: Tried[]) {
  const located = (position: number) => ({ position, bytes: 1 })
  const byWait = () => [...tried].sort((a, b) => a.nextAt - b.nextAt)
  const reader = {
    untried: (after: number, limit: number) =>
      untried
        .filter((position) => position > after)
        .slice(0, limit)
        .map(located),
    due: (now: number, limit: number) =>
      byWait()
        .filter(({ nextAt }) => nextAt <= now)
        .slice(0, limit)
        .map(({ position }) => located(position)),
    waiting: (limit: number) =>
      byWait()
        .slice(0, limit)
        .map(({ position }) => located(position)),
    lastPending: () => untried.at(-1) ?? null,
  }
  return new Selection(reader as unknown as PendingQueue)
}

const taken = (selection: Selection, now: number, count: number) =>
  Array.from({ length: count }, () => selection.next(now)?.position ?? null)

describe('which event is sent next', () => {
  it('oldest first, each once', () => {
    expect(taken(selectionOf([1, 2, 3], []), 0, 4)).toEqual([1, 2, 3, null])
  })

  it('tried events take three slots while untried ones wait, and all when none does', () => {
    const tried = [11, 12, 13, 14, 15].map((position) => ({ position, nextAt: 5 }))
    expect(taken(selectionOf([1, 2], tried), 5, 7)).toEqual([11, 12, 13, 1, 2, 14, 15])
    expect(taken(selectionOf([1], tried), 4, 2)).toEqual([1, null])
  })

  it('a slot that is free again is for a tried event again', () => {
    const tried = [11, 12, 13, 14].map((position) => ({ position, nextAt: 5 }))
    const selection = selectionOf([1, 2], tried)
    expect(taken(selection, 5, 4)).toEqual([11, 12, 13, 1])
    selection.done(11)
    expect(selection.next(5)).toEqual({ position: 11, bytes: 1, as: 'tried' })
  })

  it('a probe is another event than the last one, though that other waits for itself still', () => {
    const selection = selectionOf(
      [],
      [
        { position: 1, nextAt: 10 },
        { position: 2, nextAt: 40_000 },
      ],
    )
    const probes = Array.from({ length: 4 }, () => {
      const position = selection.nextProbe(false)?.position ?? -1
      selection.done(position)
      return position
    })
    expect(probes).toEqual([1, 2, 1, 2])
  })

  it('looks again where an event was stored behind it', () => {
    const untried = [5]
    const selection = selectionOf(untried, [])
    expect(taken(selection, 0, 2)).toEqual([5, null])
    untried.splice(0, 1, 3)
    selection.added(3)
    expect(selection.hasUntried()).toBe(true)
    expect(taken(selection, 0, 2)).toEqual([3, null])
  })

  it('forgets nothing it has read ahead when an older event comes in between', () => {
    const untried = [10, 20, 30]
    const selection = selectionOf(untried, [])
    expect(selection.hasUntried()).toBe(true)
    untried.splice(2, 0, 25)
    selection.added(25)
    expect(taken(selection, 0, 5)).toEqual([10, 20, 25, 30, null])
  })

  it('finds again, after a restart, what a broken run had taken', () => {
    const selection = selectionOf([1, 2], [])
    taken(selection, 0, 2)
    selection.restart()
    expect(taken(selection, 0, 3)).toEqual([1, 2, null])
  })

  it('takes up first what was given back', () => {
    const selection = selectionOf([1, 2], [])
    const first = selection.next(0)
    if (first) selection.giveBack(first)
    expect(taken(selection, 0, 3)).toEqual([1, 2, null])
  })
})
