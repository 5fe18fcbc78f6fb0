/** Stands in for `cloudflare:workers`, and for the operators' page (`loader.ts`). */
import { Hono } from 'hono'

class WithEnvironment {
  readonly ctx: unknown
  readonly env: unknown

  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx
    this.env = env
  }
}

export class DurableObject extends WithEnvironment {}
export class WorkerEntrypoint extends WithEnvironment {}

export const pageRoutes = () => new Hono()

/** For people with a browser, of whom there are none. */
export const respondFault = () => new Response('', { status: 404 })
