/** Diagnosis: everything known about the events that went wrong. Reads only. */
import type { Evidence } from './evidence.ts'
import type { Harness } from './harness.ts'
import type { Breach } from './oracle.ts'
import { postLine } from './report.ts'
import { sentEvents } from './sent.ts'

const SHOWN_BREACHES = 10
const SHOWN_LINES = 6

export async function diagnose(
  breaches: readonly Breach[],
  evidence: Evidence,
  { adobe, worker, ...harness }: Harness,
): Promise<string> {
  const admin = await harness.admin()
  const sent = sentEvents(evidence.posts)
  const lines: string[] = []
  for (const { check, id, text } of breaches.slice(0, SHOWN_BREACHES)) {
    lines.push('', `${check.toUpperCase()} ${id ?? ''} ${text}`)
    if (id === null) continue
    const of = (ids: readonly (string | null)[]) => ids.some((each) => each?.startsWith(id))
    lines.push(
      ...(sent.get(id)?.posts ?? []).map((post) => postLine(post, evidence.endOf)),
      ...adobe.requests
        .filter(({ ids }) => of(ids))
        .slice(-SHOWN_LINES)
        .map(
          ({ at, status, cut }) => `AEP ${new Date(at).toISOString()} ${status ?? ''} ${cut ?? ''}`,
        ),
      ...evidence.lake
        .filter(({ _id }) => of([_id]))
        .map(({ seq, at }) => `lake #${seq} ${new Date(at).toISOString()}`),
      `outbox: ${await admin.describe(id).catch((error: Error) => error.message)}`,
      ...(await worker.lines((line) => line.includes(id)))
        .slice(-SHOWN_LINES)
        .map((line) => `log ${line}`),
    )
  }
  const more = breaches.length - SHOWN_BREACHES
  if (more > 0) lines.push('', `and ${more} more`)
  return lines.join('\n')
}
