/** Metering: what a piece of work costs in rows, calls of the outbox, alarms and requests to AEP. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { type Clock, outbox } from './support.ts'

/** Rows by table; `alarm`: it was set, which is billed as a row. */
type Rows = Record<string, number>
export type Cost = { rows: Rows; read: number; calls: number; aep: number }

const TABLE = /(?:INTO|UPDATE|DELETE FROM|TABLE(?: IF (?:NOT )?EXISTS)?)\s+(\w+)/

let calls = 0
/** The outbox as the Worker sees it; each call of a method is a request. */
export const counted = {
  getByName: (name: string) =>
    new Proxy(env.OUTBOX.getByName(name), {
      get:
        (stub, method) =>
        (...values: unknown[]) => {
          calls += 1
          const methods = stub as unknown as Record<PropertyKey, (...values: unknown[]) => unknown>
          return methods[method]?.(...values)
        },
    }),
}

export async function costOf(aep: LocalAdobe, work: () => Promise<unknown>): Promise<Cost> {
  const cursors: { table: string; cursor: { rowsWritten: number; rowsRead: number } }[] = []
  const rows: Rows = {}
  const restore: (() => void)[] = []
  await runInDurableObject(outbox(), (_, { storage }) => {
    const real = storage.sql.exec.bind(storage.sql)
    const exec = vi.spyOn(storage.sql, 'exec')
    exec.mockImplementation(((query: string, ...bindings: unknown[]) => {
      const cursor = real(query, ...bindings)
      cursors.push({ table: TABLE.exec(query)?.[1] ?? '', cursor })
      return cursor
    }) as typeof storage.sql.exec)
    const setAlarm = storage.setAlarm.bind(storage)
    const alarm = vi.spyOn(storage, 'setAlarm')
    alarm.mockImplementation((at) => {
      rows.alarm = (rows.alarm ?? 0) + 1
      return setAlarm(at)
    })
    restore.push(
      () => exec.mockRestore(),
      () => alarm.mockRestore(),
    )
  })
  const before = { calls, aep: aep.requests.length }
  await work()
  let read = 0
  await runInDurableObject(outbox(), () => {
    for (const each of restore) each()
    for (const { table, cursor } of cursors) {
      if (cursor.rowsWritten > 0) rows[table] = (rows[table] ?? 0) + cursor.rowsWritten
      read += cursor.rowsRead
    }
  })
  return { rows, read, calls: calls - before.calls, aep: aep.requests.length - before.aep }
}

export function sumOf({ rows }: Cost): number {
  return Object.values(rows).reduce((total, each) => total + each, 0)
}

/** Lets the clock run for so long, and each alarm that is due meanwhile; how many. Asks nothing that would count. */
export async function alarmsIn(clock: Clock, ms: number): Promise<number> {
  const end = clock.now + ms
  for (let alarms = 0; ; alarms += 1) {
    const at = await runInDurableObject(outbox(), (_, { storage }) => storage.getAlarm())
    if (at === null || at > end) {
      clock.set(end)
      return alarms
    }
    clock.set(at)
    await runDurableObjectAlarm(outbox())
  }
}
