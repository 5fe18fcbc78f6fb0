/** What the tests of `npm run verify` and `npm run send` share: servers, and what was printed. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, vi } from 'vitest'

export const KEY = 'test-webhook-key-of-this-run'
export const ADMIN_TOKEN = 'test-admin-token-of-this-run'

type Printed = {
  /** All of it as one line: words may stand anywhere on it. */
  text(): string
  forget(): void
}

/** Call it once in a file, outside any test. The environment has neither key nor token. */
export function capturePrinted(): Printed {
  let output: string[]
  beforeEach(() => {
    output = []
    for (const method of ['log', 'error'] as const) {
      vi.spyOn(console, method).mockImplementation((text: string) => output.push(text))
    }
    for (const name of ['WEBHOOK_KEYS', 'ADMIN_TOKEN']) vi.stubEnv(name, '')
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  return {
    text: () => output.join('\n').replaceAll(/\s+/g, ' '),
    forget: () => {
      output.length = 0
    },
  }
}

/** Nothing listens there: the system gives no port under 1024 unless it is asked for, and none is assigned to this one. */
export const NOBODY = 'http://127.0.0.1:4'

/** Until the end of the test. */
export async function serverThat(answers: RequestListener): Promise<string> {
  const { url, server } = await listen(answers)
  servers.push(server)
  return url
}

const servers: Server[] = []
export function closeServers(): void {
  for (const server of servers.splice(0)) server.close()
}

async function listen(answers: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(answers)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
