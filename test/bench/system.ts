/**
 * One system under test: its processes, and the port on which it takes webhooks.
 *
 * Promises: it is started once it answers on its port; `kill` sends SIGKILL to all its processes and resolves when they are
 * gone; `restart` starts them again on the same port, with what is left on disk. A system that does not start says why,
 * with the end of its output.
 */
import { connect } from 'node:net'
import { Child, type Started, type Usage, until, usageOfAll } from './processes.ts'

const START_TIMEOUT_MS = 60_000

type Plan = {
  readonly port: number
  /** Path and query of a webhook. */
  readonly path: string
  /** Starts the processes, in order; each may wait for the one before it. */
  readonly start: (launch: Launch) => Promise<void> | void
}

type Launch = {
  /** Starts a process of the system. */
  run(started: Started): Child
  /** Resolves when something listens on that port of 127.0.0.1; throws when one of the processes has ended. */
  listening(port: number): Promise<void>
}

export class System implements Launch {
  readonly port: number
  readonly path: string
  readonly #plan: Plan
  #children: Child[] = []

  static async start(plan: Plan): Promise<System> {
    const system = new System(plan)
    await system.restart()
    return system
  }

  private constructor(plan: Plan) {
    this.port = plan.port
    this.path = plan.path
    this.#plan = plan
  }

  /** Of all its processes together. */
  usage(): Usage | null {
    return usageOfAll(this.#children)
  }

  /** Of a system of one process, precisely; `null` where it cannot be read. */
  threadsCpuMs(): number | null {
    return this.#children[0]?.threadsCpuMs() ?? null
  }

  async restart(): Promise<void> {
    this.#children = []
    try {
      await this.#plan.start(this)
      await this.listening(this.port)
    } catch (thrown) {
      const output = this.#children.map((child) => child.output()).join('\n')
      await this.kill()
      throw new Error(`${thrown instanceof Error ? thrown.message : thrown}\n${output}`.trim())
    }
  }

  run(started: Started): Child {
    const child = new Child(started)
    this.#children.push(child)
    return child
  }

  async listening(port: number): Promise<void> {
    await until(
      () => {
        if (this.#children.some(({ hasEnded }) => hasEnded)) throw new Error('it ended by itself')
        return answers(port)
      },
      START_TIMEOUT_MS,
      () => `it did not listen within ${START_TIMEOUT_MS} ms`,
    )
  }

  /** Stands still, so that what it does while it is not measured disturbs nobody; `thaw` lets it go on. */
  freeze(): void {
    for (const child of this.#children) child.signal('SIGSTOP')
  }

  thaw(): void {
    for (const child of this.#children) child.signal('SIGCONT')
  }

  async kill(): Promise<void> {
    for (const child of this.#children) child.signal('SIGKILL')
    await Promise.all(this.#children.map(({ ended }) => ended))
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
