/**
 * Lets Node load the Worker's own files: `cloudflare:workers` becomes two empty base classes, and the operators' page, which
 * is JSX and not simulated, a router without routes. With `--fault N` some lines are others (`faults.ts`). Used as
 * `node --import`.
 */
import { registerHooks } from 'node:module'
import { faultOf, type PutBack, withFault } from './faults.ts'

const STAND_IN = new URL('./cloudflare-workers.ts', import.meta.url).href

const fault: PutBack | null = asked()

function asked(): PutBack | null {
  try {
    return faultOf(process.argv)
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n`)
    return process.exit(2)
  }
}

const notLoaded = new Set(fault?.lines.map(({ file }) => file))

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
  load(url, context, next) {
    const loaded = next(url, context)
    const file = fault?.lines.find((each) => url.endsWith(`/${each.file}`))?.file
    if (!fault || file === undefined) return loaded
    notLoaded.delete(file)
    const source = loaded.source ?? ''
    const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
    return { ...loaded, source: withFault(fault, file, text) }
  },
})

if (fault) {
  process.on('exit', () => {
    if (notLoaded.size > 0) throw new Error(`Not loaded: ${[...notLoaded].join(', ')}`)
  })
}
