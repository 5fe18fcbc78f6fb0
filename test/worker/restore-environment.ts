/** What a test sets in the environment ends with it: files share a worker, and so one environment. */
import { env } from 'cloudflare:workers'
import { afterEach } from 'vitest'

const configured = { ...env }

afterEach(() => {
  for (const name of Object.keys(env)) {
    if (!Object.hasOwn(configured, name)) Reflect.deleteProperty(env, name)
  }
  Object.assign(env, configured)
})
