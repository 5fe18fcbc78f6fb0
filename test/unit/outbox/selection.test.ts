import { describe, expect, it } from 'vitest'
import { Selection } from '../../../src/worker/outbox/delivery/selection.ts'
import type { PendingQueue } from '../../../src/worker/outbox/storage/pending-queue.ts'

type Tried = { position: number; nextAt: number }

/** A selection over these events. */
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

describe('Selection', () => {
  it('selects the oldest first, and each once', () => {
    expect(taken(selectionOf([1, 2, 3], []), 0, 4)).toEqual([1, 2, 3, null])
  })

  it('gives tried events three slots while untried ones wait, otherwise all', () => {
    const tried = [11, 12, 13, 14, 15].map((position) => ({ position, nextAt: 5 }))
    expect(taken(selectionOf([1, 2], tried), 5, 7)).toEqual([11, 12, 13, 1, 2, 14, 15])
    expect(taken(selectionOf([1], tried), 4, 2)).toEqual([1, null])
  })

  it('gives a freed slot of a tried event to the next tried one', () => {
    const tried = [11, 12, 13, 14].map((position) => ({ position, nextAt: 5 }))
    const selection = selectionOf([1, 2], tried)
    expect(taken(selection, 5, 4)).toEqual([11, 12, 13, 1])
    selection.done(11)
    expect(selection.next(5)).toEqual({ position: 11, bytes: 1, as: 'tried' })
  })

  it('alternates probes between events, even if one is not due', () => {
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

  it('finds an event stored behind its cursor', () => {
    const untried = [5]
    const selection = selectionOf(untried, [])
    expect(taken(selection, 0, 2)).toEqual([5, null])
    untried.splice(0, 1, 3)
    selection.added(3)
    expect(selection.hasUntried()).toBe(true)
    expect(taken(selection, 0, 2)).toEqual([3, null])
  })

  it('keeps the events read ahead when an older one arrives', () => {
    const untried = [10, 20, 30]
    const selection = selectionOf(untried, [])
    expect(selection.hasUntried()).toBe(true)
    untried.splice(2, 0, 25)
    selection.added(25)
    expect(taken(selection, 0, 5)).toEqual([10, 20, 25, 30, null])
  })

  it('selects the events of a broken run again after a restart', () => {
    const selection = selectionOf([1, 2], [])
    taken(selection, 0, 2)
    selection.restart()
    expect(taken(selection, 0, 3)).toEqual([1, 2, null])
  })

  it('selects first an event that was given back', () => {
    const selection = selectionOf([1, 2], [])
    const first = selection.next(0)
    if (first) selection.giveBack(first)
    expect(taken(selection, 0, 3)).toEqual([1, 2, null])
  })
})
