/** Options: the command line of `npm start`. */
import { parseArgs } from 'node:util'

export type Options = {
  /** Of the Worker. */
  readonly port: number
  /** Of the local Adobe. */
  readonly aepPort: number
  readonly format: 'raw' | 'xdm'
  /** End after the table. */
  readonly once: boolean
  /** Walk through an outage, then end. */
  readonly demo: boolean
}

export const USAGE = `Usage: npm start -- [options]

Starts a local Adobe Experience Platform and the Worker, posts one webhook of
each kind, shows what arrived, and stays up until Ctrl-C.

  --demo          walk through an outage of AEP, then end:
                  0 if every event arrived and the ledger balances, else 1
  --once          end after the table: 0 if AEP has every sample, else 1
  --format F      raw (default) or xdm: what the Worker sends
  --port N        port of the Worker, 8787 by default; 0 for any free port
  --aep-port N    port of the local AEP, 8788 by default; likewise
  --help`

/** `wrong` says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8787' },
      'aep-port': { type: 'string', default: '8788' },
      format: { type: 'string', default: 'raw' },
      once: { type: 'boolean', default: false },
      demo: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { format, once, demo } = values
  if (format !== 'raw' && format !== 'xdm') return { wrong: '--format is raw or xdm.' }
  const port = portOf(values.port)
  const aepPort = portOf(values['aep-port'])
  if (port === null) return { wrong: '--port is a number from 0 to 65535.' }
  if (aepPort === null) return { wrong: '--aep-port is a number from 0 to 65535.' }
  if (port === aepPort && port !== 0) return { wrong: '--port and --aep-port must differ.' }
  return { port, aepPort, format, once, demo }
}

function portOf(text: string): number | null {
  const port = Number(text)
  return /^\d+$/.test(text) && port <= 65_535 ? port : null
}
