/**
 * Bodies of acceptances: the 200 of a single message and the 207 of a batch, with failed items in one
 * of three dialects:
 *   A  `statusCode`, no xactionId (Adobe's pages). A success's xactionId ends in `:n`, which is no index.
 *   B  `status`, xactionId `<uuid>-<index>` on every item (fixture of Adobe's Kafka connector)
 *   C  `status`, no xactionId (a user's log of 2024)
 * In all of them an item stands for the message at its position.
 */
import type { Dialect } from '../answer.ts'

/** The outcome of one message: accepted (status below 300) or not, with AEP's message. */
export type ItemOutcome = { readonly status: number; readonly message: string }

type BatchItem = {
  xactionId?: string
  status?: number
  statusCode?: number
  message?: string
}

/** Ids as AEP makes them: time, then two counters; unique, and the same again in the same run. */
export class Xactions {
  #count = 0

  next(at: number): string {
    this.#count += 1
    return `${at}:${1000 + (this.#count % 9000)}:${this.#count}`
  }
}

export function singleAccepted(inletId: string, xactionId: string, at: number) {
  return { inletId, xactionId, receivedTimeMs: at }
}

export function batchAnswered(
  inletId: string,
  batchId: string,
  at: number,
  outcomes: readonly ItemOutcome[],
  dialect: Dialect,
) {
  const digits = batchId.replaceAll(/\D/g, '').slice(-12).padStart(12, '0')
  const ids: BatchIds = { batchId, uuid: `9341f8eb-494a-4c89-9879-${digits}` }
  const responses = outcomes.map((outcome, index) =>
    // Counts down, so that a client that reads the suffix as an index picks the wrong message.
    batchItem(outcome, ids, { index, colon: outcomes.length - index }, dialect),
  )
  return { inletId, batchId, receivedTimeMs: at, responses }
}

type BatchIds = { readonly batchId: string; readonly uuid: string }

function batchItem(
  { status, message }: ItemOutcome,
  { batchId, uuid }: BatchIds,
  { index, colon }: { index: number; colon: number },
  dialect: Dialect,
): BatchItem {
  const ok = status < 300
  switch (dialect) {
    case 'A':
      return ok ? { xactionId: `${batchId}:${colon}` } : { statusCode: status, message }
    case 'B':
      return { xactionId: `${uuid}-${index}`, ...(ok ? {} : { status, message }) }
    case 'C':
      return ok ? { xactionId: `${batchId}:${colon}` } : { status, message }
  }
}

/** Bodies of a 2xx that do not mention the messages. */
export const GARBAGE = {
  empty: '',
  text: 'OK',
  html: '<html><body>Maintenance</body></html>',
  array: '[]',
  null: 'null',
  truncated: '{"inletId":"local-inlet","xactionId":"158',
} as const
