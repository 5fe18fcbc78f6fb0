/**
 * Lets Node load the Worker's own files: `cloudflare:workers` becomes two empty base classes, and the operators' page, which
 * is JSX and not simulated, a router without routes. With `--fault NAME` some lines are others (`faults.ts`). Used as
 * `node --import`.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { faultOf, type PutIn, withFault } from './faults.ts'

const STAND_IN = new URL('./cloudflare-workers.ts', import.meta.url).href

const fault: PutIn | null = asked()

function asked(): PutIn | null {
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
    return next(specifier, context)
  },
  load(url, context, next) {
    if (url.endsWith('.json')) {
      const source = jsonModule(readFileSync(fileURLToPath(url), { encoding: 'utf8' }))
      return { format: 'module', source, shortCircuit: true }
    }
    const loaded = next(url, context)
    const file = fault?.lines.find((each) => url.endsWith(`/${each.file}`))?.file
    if (!fault || file === undefined) return loaded
    notLoaded.delete(file)
    const source = loaded.source ?? ''
    const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
    return { ...loaded, source: withFault(fault, file, text) }
  },
})

/** As bundlers do: what is named at the top can be imported by its name. */
function jsonModule(text: string): string {
  const names = Object.keys(JSON.parse(text)).filter((name) => /^[a-z]\w*$/i.test(name))
  return [
    `const json = ${text}`,
    ...names.map((name, index) => `const name${index} = json[${JSON.stringify(name)}]`),
    'export default json',
    `export { ${names.map((name, index) => `name${index} as ${name}`).join(', ')} }`,
  ].join('\n')
}

if (fault) {
  process.on('exit', () => {
    if (notLoaded.size > 0) throw new Error(`Not loaded: ${[...notLoaded].join(', ')}`)
  })
}
