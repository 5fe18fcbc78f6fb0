/**
 * One Worker as Cloudflare keeps it: its versions, each with its bindings, and the secrets that outlive them.
 * A secret's value is never in an answer, as at Cloudflare; tests read it from `secrets`.
 */

export type Binding = {
  readonly name: string
  readonly type: string
  readonly text?: string
  readonly [other: string]: unknown
}

/** What an upload says about the Worker. */
export type Metadata = {
  readonly bindings: readonly Binding[]
  /** Types of binding that stay although they are not sent again. */
  readonly keep_bindings?: readonly string[]
  /** Tag and message, by their names at Cloudflare. */
  readonly annotations?: Readonly<Record<string, string>>
}

type Version = Required<Pick<Metadata, 'bindings' | 'annotations'>> & { readonly id: string }

/** What ran from then on. */
type Deployment = Pick<Version, 'id' | 'annotations'> & { readonly version: string }

const AT = '2026-11-24T00:00:00.000000Z'
/** As Cloudflare's. */
const idOf = (group: number, number: number) =>
  `00000000-0000-4000-800${group}-${String(number).padStart(12, '0')}`

export class Worker {
  readonly name: string
  readonly #versions: Version[] = []
  readonly #deployments: Deployment[] = []
  readonly secrets = new Map<string, string>()
  schedules: string[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Bindings of the newest version, as they were sent. */
  get bindings(): readonly Binding[] {
    return this.#versions.at(-1)?.bindings ?? []
  }

  /** How many times it was deployed. */
  get deploys(): number {
    return this.#versions.length
  }

  /** The id of the version, which does not run yet. */
  upload({ bindings, keep_bindings: kept = [], annotations = {} }: Metadata): string {
    const inherited = bindings.filter(({ type }) => type === 'inherit').map(({ name }) => name)
    for (const name of kept.includes('secret_text') ? [] : this.secretNames()) {
      if (!inherited.includes(name)) this.secrets.delete(name)
    }
    for (const { name, type, text } of bindings) {
      if (type === 'secret_text') this.secrets.set(name, text ?? '')
    }
    const id = idOf(0, this.#versions.length + 1)
    this.#versions.push({ id, bindings, annotations })
    return id
  }

  /** A version that is there, from now on. */
  deploy(version: string, annotations: Deployment['annotations'] = {}): void {
    this.#deployments.push({ id: idOf(1, this.#deployments.length + 1), version, annotations })
  }

  /** The oldest first. */
  get versionIds(): string[] {
    return this.#versions.map(({ id }) => id)
  }

  /** The id of the version that runs. */
  get runs(): string | undefined {
    return this.#deployments.at(-1)?.version
  }

  secretNames(): string[] {
    return [...this.secrets.keys()].sort()
  }

  shownBindings(version = this.#versions.at(-1)): unknown[] {
    const others = (version?.bindings ?? []).filter(
      ({ type }) => type !== 'secret_text' && type !== 'inherit',
    )
    return [...others, ...this.secretNames().map((name) => ({ name, type: 'secret_text' }))]
  }

  deployments(): unknown[] {
    return this.#deployments.toReversed().map(({ id, version, annotations }) => ({
      id,
      source: 'wrangler',
      strategy: 'percentage',
      author_email: 'test@example.com',
      created_on: AT,
      annotations,
      versions: [{ version_id: version, percentage: 100 }],
    }))
  }

  versions(): unknown[] {
    return this.#versions.map(({ id }) => this.version(id))
  }

  version(id: string): unknown {
    const version = this.#versions.find((each) => each.id === id)
    return (
      version && {
        id,
        number: 1,
        metadata: {
          source: 'wrangler',
          author_email: 'test@example.com',
          created_on: AT,
        },
        annotations: version.annotations,
        resources: {
          bindings: this.shownBindings(version),
          script: {
            etag: 'etag',
            handlers: ['fetch', 'scheduled'],
            last_deployed_from: 'wrangler',
          },
          script_runtime: {},
        },
      }
    )
  }

  /** Answer to an upload. */
  uploaded(): unknown {
    const id = this.#versions.at(-1)?.id
    return {
      id,
      tag: this.name,
      etag: 'etag',
      pipeline_hash: 'hash',
      startup_time_ms: 5,
      deployment_id: id,
      entry_point: 'index.js',
      metadata: {},
    }
  }

  overview(): unknown {
    const subdomain = { enabled: true, previews_enabled: false }
    return { id: this.name, name: this.name, tags: [], subdomain }
  }

  service(): unknown {
    return {
      id: this.name,
      default_environment: {
        environment: 'production',
        script: { id: this.name, tag: this.name, tags: [], last_deployed_from: 'wrangler' },
      },
    }
  }
}
