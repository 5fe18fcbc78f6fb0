/** A local Adobe on a free port, a `wrangler.toml` in a directory of its own, and `provision` run against them. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { platformClient } from '../../src/cli/lib/platform-client.ts'
import { at, isRecord, type Json, listAt, textAt } from '../../src/cli/lib/platform-request.ts'
import { Interrupted, type Terminal } from '../../src/cli/lib/terminal.ts'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { main } from '../../src/cli/provision/main.ts'
import { readSettings } from '../../src/cli/provision/settings.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'

export type Fetch = typeof globalThis.fetch

export const TOML = readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8')

type Ran = {
  code: number
  out: string
  err: string
  slept: number[]
  asked: string[]
  moving: number
}

type RunOptions = {
  fetch?: Fetch
  env?: Record<string, string | undefined>
  /** A terminal, and what is answered there. */
  answer?: boolean
  /** A terminal at which the first question is broken off. */
  interrupt?: boolean
}

export class Bench {
  readonly adobe: LocalAdobeServer
  readonly directory: string

  constructor(adobe: LocalAdobeServer) {
    this.adobe = adobe
    this.directory = mkdtempSync(path.join(tmpdir(), 'provision-'))
    writeFileSync(this.config, TOML)
  }

  static async start(options: Parameters<typeof startLocalAdobe>[0] = {}): Promise<Bench> {
    return new Bench(await startLocalAdobe({ flowEnableMs: 0, ...options }))
  }

  get config(): string {
    return path.join(this.directory, 'wrangler.toml')
  }

  get toml(): string {
    return readFileSync(this.config, 'utf8')
  }

  get env(): Record<string, string> {
    const { clientId, clientSecret, orgId } = this.adobe.adobe.settings
    return {
      AEP_CLIENT_ID: clientId,
      AEP_CLIENT_SECRET: clientSecret,
      AEP_ORG_ID: orgId,
      AEP_IMS_URL: this.adobe.url,
      AEP_PLATFORM_URL: this.adobe.url,
    }
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran: Ran = { code: -1, out: '', err: '', slept: [], asked: [], moving: 0 }
    const { answer } = options
    const terminal: Terminal = {
      isInteractive: answer !== undefined,
      say: (line = '') => {
        ran.out += `${line}\n`
      },
      complain: (line) => {
        ran.err += `${line}\n`
      },
      confirm: async (question) => {
        ran.asked.push(question)
        return answer ?? null
      },
      ask: async (question) => {
        ran.asked.push(question)
        if (options.interrupt) throw new Interrupted()
        return null
      },
      busy: () => {
        ran.moving += 1
        return (outcome) => {
          ran.moving -= 1
          ran.out += `${outcome}\n`
        }
      },
    }
    ran.code = await main(['--config', this.config, ...args], {
      env: { ...this.env, ...options.env },
      terminal,
      io: {
        fetch: options.fetch ?? this.direct,
        // The local Adobe's clock moves on by what the command waits, so no test depends on how fast it polls.
        sleep: async (ms) => {
          ran.slept.push(ms)
          this.adobe.adobe.advance(ms)
        },
        random: () => 0.5,
      },
    })
    return ran
  }

  get api() {
    const settings = readSettings(this.env)
    if ('wrong' in settings) throw new Error(settings.wrong)
    const io = { fetch: this.adobe.adobe.fetch, sleep: async () => {}, random: () => 0 }
    return platformClient(settings, io)
  }

  /** To the local Adobe without a socket, which takes most of the time of a run; to anybody else over one. */
  readonly direct: Fetch = (input, init) => {
    const isLocal = String(input).startsWith(this.adobe.url)
    return isLocal ? this.adobe.adobe.fetch(input, init) : fetch(input, init)
  }

  /** How many of each kind there are, besides Adobe's own. */
  async counts(): Promise<Record<string, number>> {
    const { send } = this.api
    const get = (path: string, accept?: string) =>
      send({ method: 'GET', path, ...(accept && { headers: { accept } }) })
    const registry = '/data/foundation/schemaregistry/tenant'
    const xed = 'application/vnd.adobe.xed-id+json'
    const namespaces = (await get('/data/core/idnamespace/identities')) as readonly Json[]
    const descriptors = await get(`${registry}/descriptors`, 'application/vnd.adobe.xdm+json')
    const datasets = await get('/data/foundation/catalog/dataSets')
    const flowKinds = ['connections', 'sourceConnections', 'targetConnections', 'flows']
    const flows = flowKinds.map(async (kind) => [
      kind,
      listAt(await get(`/data/foundation/flowservice/${kind}`), 'items').length,
    ])
    return {
      namespaces: namespaces.filter((one) => isRecord(one) && one.custom === true).length,
      fieldGroups: listAt(await get(`${registry}/fieldgroups`, xed), 'results').length,
      schemas: listAt(await get(`${registry}/schemas`, xed), 'results').length,
      descriptors: isRecord(descriptors) ? Object.values(descriptors).flat().length : 0,
      dataSets: isRecord(datasets) ? Object.keys(datasets).length : 0,
      mappingSets: listAt(
        await get('/data/foundation/conversion/mappingSets?limit=100&start=0'),
        'data',
      ).length,
      ...Object.fromEntries(await Promise.all(flows)),
    }
  }

  /** Makes a new version of the mapping of the relay's dataflow, as somebody in Adobe's interface does. */
  async editMapping(edit: (rows: readonly Json[]) => readonly Json[]): Promise<void> {
    const { send } = this.api
    const flows = '/data/foundation/flowservice/flows'
    const all = listAt(await send({ method: 'GET', path: flows }), 'items')
    const used = varsOf(this.toml).AEP_FLOW_ID
    const flow = all.find((one) => textAt(one, 'id') === used) ?? all[0] ?? null
    const id = textAt(flow, 'transformations', 0, 'params', 'mappingId')
    const path = `/data/foundation/conversion/mappingSets/${id}`
    const set = await send({ method: 'GET', path })
    const mappings = edit(listAt(set, 'mappings')).map((row) => ({
      source: at(row, 'source'),
      destination: at(row, 'destination'),
      sourceType: /[( ]/.test(String(at(row, 'source'))) ? 'EXPRESSION' : 'ATTRIBUTE',
    }))
    const outputSchema = { schemaRef: at(set, 'outputSchema', 'schemaRef') }
    await send({ method: 'PUT', path, body: { name: at(set, 'name'), outputSchema, mappings } })
    await send({
      method: 'PATCH',
      path: `${flows}/${textAt(flow, 'id')}`,
      headers: { 'if-match': textAt(flow, 'etag') ?? '' },
      body: [
        {
          op: 'replace',
          path: '/transformations/0/params/mappingVersion',
          value: (Number(at(flow, 'transformations', 0, 'params', 'mappingVersion')) || 0) + 1,
        },
      ],
    })
  }

  async stop(): Promise<void> {
    await this.adobe.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

export const VARIANTS = [
  ['raw', []],
  ['xdm', ['--format', 'xdm']],
  ['raw, authenticated', ['--authenticated']],
  ['xdm, authenticated', ['--format', 'xdm', '--authenticated']],
] as const

/** One of each, as a finished run leaves them. */
export function oneOfEach(args: readonly string[]): Record<string, number> {
  const isRaw = !args.includes('xdm')
  return {
    namespaces: 1,
    fieldGroups: 1,
    schemas: 1,
    descriptors: 3,
    dataSets: 1,
    mappingSets: isRaw ? 1 : 0,
    connections: args.length > 0 ? 1 : 0,
    sourceConnections: 1,
    targetConnections: 1,
    flows: 1,
  }
}

/** `GET /data/…`, without query. */
export function callOf(input: Parameters<Fetch>[0], init: RequestInit | undefined): string {
  return `${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`
}
