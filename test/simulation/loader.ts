/**
 * Lets Node load the Worker's own files: `cloudflare:workers` becomes two empty base classes, and the operators' page, which
 * is JSX and not simulated, a router without routes. Used as `node --import`.
 */
import { registerHooks } from 'node:module'

const STAND_IN = new URL('./cloudflare-workers.ts', import.meta.url).href

registerHooks({
  resolve(specifier, context, next) {
    const isStandIn = specifier === 'cloudflare:workers' || specifier.endsWith('.tsx')
    if (isStandIn) return { url: STAND_IN, shortCircuit: true }
    const resolved = next(specifier, context)
    // As bundlers do.
    return specifier.endsWith('.json')
      ? { ...resolved, importAttributes: { type: 'json' } }
      : resolved
  },
})
