/** Time by ratio, of as much work: no machine is too slow for it, and a busy one only measures again. */
import { expect } from 'vitest'

const PIECES = 16
const ROUNDS = 5
/** So short that it is proof enough: the square of a piece's time would be longer. */
const SHORT_MS = 160

/**
 * Work on a text takes as long as on as much text in sixteen pieces; the square would take sixteen times as long.
 * @param prepare makes a text of a length, and returns what to do with it
 */
export function expectInProportion(length: number, prepare: (length: number) => () => void): void {
  const onWhole = prepare(length)
  const onPiece = prepare(length / PIECES)
  const onPieces = () => {
    for (let piece = 0; piece < PIECES; piece += 1) onPiece()
  }
  let whole = timeOf(onWhole)
  if (whole < SHORT_MS) return
  let inPieces = timeOf(onPieces)
  for (let round = 1; round < ROUNDS && whole >= 8 * inPieces; round += 1) {
    whole = Math.min(whole, timeOf(onWhole))
    inPieces = Math.min(inPieces, timeOf(onPieces))
  }
  expect(whole).toBeLessThan(8 * Math.max(inPieces, SHORT_MS / 8))
}

function timeOf(work: () => void): number {
  const began = performance.now()
  work()
  return performance.now() - began
}
