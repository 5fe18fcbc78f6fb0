import {
  createExecutionContext,
  runDurableObjectAlarm,
  waitOnExecutionContext,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import { createLocalAdobe } from '../../src/local-adobe/app.ts'
import { outboxOf } from '../../src/worker/outbox/outbox.ts'
import { worker } from '../../src/worker/worker.ts'

const KEY = 'test-webhook-key-number-one'
it('smoke', async () => {
  const aep = createLocalAdobe({ mode: 'raw' })
  vi.spyOn(globalThis, 'fetch').mockImplementation((i, init) =>
    aep.fetch(i as Request, init as RequestInit),
  )
  const post = async (n: number, e: object = {}) => {
    const ctx = createExecutionContext()
    const r = await worker.fetch(
      new Request(`https://r.example/chatlio/feedback?key=${KEY}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          visitor: { UUID: 'v' + n },
          message: 'm' + n,
          conversationUUID: 'c' + n,
        }),
      }) as never,
      { ...env, ...e } as Env,
      ctx,
    )
    const t = await r.text()
    await waitOnExecutionContext(ctx)
    return `${r.status} ${t}`
  }
  console.log(await post(1))
  console.log(await post(2, { FORWARD_TIMEOUT_MS: '0' }))
  const o = outboxOf(env)
  console.log(JSON.stringify(await o.status()))
  await runDurableObjectAlarm(o as never)
  console.log(JSON.stringify(await o.status()), JSON.stringify(await o.health()))
  expect(1).toBe(1)
})
