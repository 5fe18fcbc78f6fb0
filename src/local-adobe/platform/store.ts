/**
 * Store: everything that has been created through the Platform APIs, in the order of its creation.
 *
 * Promises: `onChange` is called with a complete snapshot before a change is answered, so that the state
 * file has every resource a client knows of. Sandboxes do not see each other's resources.
 * Accepts that every change writes everything: there are dozens of resources, not thousands.
 */
import * as v from 'valibot'
import type { JsonObject } from '../streaming/message.ts'

const KINDS = [
  'namespaces',
  'classes',
  'fieldgroups',
  'datatypes',
  'schemas',
  'descriptors',
  'dataSets',
  'connections',
  'sourceConnections',
  'targetConnections',
  'flows',
  'mappingSets',
] as const
export type Kind = (typeof KINDS)[number]

const Body = v.record(v.string(), v.unknown())
const ResourceSchema = v.object({
  id: v.string(),
  sandbox: v.string(),
  createdAt: v.number(),
  updatedAt: v.number(),
  etag: v.string(),
  body: Body,
  hidden: Body,
})
/** `body` is shown to clients; `hidden` is for internal use. */
export type Resource = {
  readonly id: string
  readonly sandbox: string
  readonly createdAt: number
  updatedAt: number
  etag: string
  body: JsonObject
  hidden: JsonObject
}

const MARK = 'local-adobe-state'
export const SnapshotSchema = v.object({
  format: v.literal(MARK),
  version: v.literal(1),
  resources: v.object(
    Object.fromEntries(KINDS.map((kind) => [kind, v.array(ResourceSchema)])) as Record<
      Kind,
      v.ArraySchema<typeof ResourceSchema, undefined>
    >,
  ),
})
export type Snapshot = v.InferOutput<typeof SnapshotSchema>

type StoreOptions = {
  readonly now: () => number
  /** A random UUID. */
  readonly uuid: () => string
  readonly onChange: (snapshot: Snapshot) => void
}

type New = { id: string; sandbox: string; body: JsonObject; hidden?: JsonObject }

export class Store {
  readonly now: () => number
  readonly uuid: () => string
  readonly #onChange: (snapshot: Snapshot) => void
  readonly #resources: Record<Kind, Resource[]>

  constructor({ now, uuid, onChange }: StoreOptions, snapshot: Snapshot | null = null) {
    this.now = now
    this.uuid = uuid
    this.#onChange = onChange
    this.#resources = structuredClone(snapshot?.resources) ?? empty()
  }

  list(kind: Kind, sandbox: string): readonly Resource[] {
    return this.#resources[kind].filter((resource) => resource.sandbox === sandbox)
  }

  /** Of every sandbox. */
  all(kind: Kind): readonly Resource[] {
    return this.#resources[kind]
  }

  find(kind: Kind, sandbox: string, id: string): Resource | undefined {
    return this.list(kind, sandbox).find((resource) => resource.id === id)
  }

  add(kind: Kind, { id, sandbox, body, hidden = {} }: New): Resource {
    const at = this.now()
    const etag = this.#etag(at)
    const resource = { id, sandbox, createdAt: at, updatedAt: at, etag, body, hidden }
    this.#resources[kind].push(resource)
    this.#changed()
    return resource
  }

  change(resource: Resource, body: JsonObject, hidden = resource.hidden): void {
    resource.body = body
    resource.hidden = hidden
    resource.updatedAt = this.now()
    resource.etag = this.#etag(resource.updatedAt)
    this.#changed()
  }

  remove(kind: Kind, resource: Resource): void {
    const list = this.#resources[kind]
    list.splice(list.indexOf(resource), 1)
    this.#changed()
  }

  clear(): void {
    for (const kind of KINDS) this.#resources[kind].length = 0
    this.#changed()
  }

  /** 32 hex digits: the form of a mapping set's id, and of the last part of a schema's. */
  hex(): string {
    return this.uuid().replaceAll('-', '')
  }

  #changed(): void {
    this.#onChange({ format: MARK, version: 1, resources: this.#resources })
  }

  /** In the form of Adobe's, the quotation marks included. */
  #etag(at: number): string {
    const seconds = Math.floor(at / 1000).toString(16)
    return `"${this.hex().slice(0, 8)}-0000-0200-0000-${seconds.padStart(8, '0')}0000"`
  }
}

const empty = () =>
  Object.fromEntries(KINDS.map((kind): [Kind, Resource[]] => [kind, []])) as Record<
    Kind,
    Resource[]
  >
