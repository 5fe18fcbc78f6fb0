/** Options: the command line of `npm run local-adobe`. */
import { parseArgs } from 'node:util'
import type { ServerOptions } from '../../local-adobe/server.ts'

export const USAGE = `Usage: npm run local-adobe -- [options]

The local Adobe alone: streaming endpoint, token endpoint, Platform APIs, data
lake and Profile, on a port of 127.0.0.1. docs/local-adobe.md has all of it.

  --port N             8788 by default; 0 for any free port
  --state FILE         keep what the Platform APIs hold in FILE (JSON); made
                       when it does not exist
  --flow-enable-ms N   how long a new dataflow is initializing, 2000 by default
  --require-sandbox    refuse Platform requests without x-sandbox-name
  --strict             refuse at once what AEP would accept and drop later
  --mode M             of the inlet local-inlet: raw (default) or xdm
  --auth               its requests need a token
  --inlet-id ID        its id
  --flow-id ID         its only dataflow; any by default
  --help`

export type Options = ServerOptions & { readonly port: number }

/** The text says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8788' },
      state: { type: 'string' },
      'flow-enable-ms': { type: 'string', default: '2000' },
      'require-sandbox': { type: 'boolean', default: false },
      mode: { type: 'string', default: 'raw' },
      strict: { type: 'boolean', default: false },
      auth: { type: 'boolean', default: false },
      'inlet-id': { type: 'string', default: 'local-inlet' },
      'flow-id': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { mode, strict, auth, state } = values
  const port = wholeNumber(values.port)
  const flowEnableMs = wholeNumber(values['flow-enable-ms'])
  if (mode !== 'raw' && mode !== 'xdm') return { wrong: '--mode is raw or xdm.' }
  if (port === null || port > 65_535) return { wrong: '--port is a number from 0 to 65535.' }
  if (flowEnableMs === null) return { wrong: '--flow-enable-ms is a number of milliseconds.' }
  if (state === '') return { wrong: '--state is the path of a file.' }
  return {
    port,
    mode,
    strict,
    auth,
    flowEnableMs,
    requireSandbox: values['require-sandbox'],
    inletId: values['inlet-id'],
    flowId: values['flow-id'] ?? null,
    ...(state !== undefined && { stateFile: state }),
  }
}

const wholeNumber = (text: string): number | null => (/^\d+$/.test(text) ? Number(text) : null)
