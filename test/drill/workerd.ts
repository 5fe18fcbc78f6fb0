/**
 * Workerd: the configuration with which the `workerd` binary runs the bundle as the platform would: one Worker, its
 * outbox objects in files, its log on standard output. Without the cron trigger: alarms alone must wake the outbox.
 */
import { createRequire } from 'node:module'

/** The binary itself: `node_modules/.bin/workerd` may be a script, and SIGKILL would end only that. */
export function workerdBinary(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('wrangler'))
  const workerd: { default?: string } = require('workerd')
  if (typeof workerd.default !== 'string') throw new Error('The workerd binary is not installed.')
  return workerd.default
}

type Serving = {
  /** Where it listens; `:0` leaves the port to the system, which workerd reports. */
  readonly address?: string
  /** The one class of objects, and its binding; `null`: the Worker has none. */
  readonly object?: { readonly binding: string; readonly className: string } | null
}

/**
 * In Cap'n Proto's text form, whose strings are those of JSON. `modules`: name and file of each, the main one first; files
 * are relative to the file that this text is written to. The Worker can reach this machine only.
 */
export function workerdConfig(
  modules: Readonly<Record<string, string>>,
  compatibilityDate: string,
  storage: string,
  vars: Readonly<Record<string, string>>,
  { address = '127.0.0.1:0', object = OUTBOX }: Serving = {},
): string {
  const bindings = Object.entries(vars).map(
    ([name, value]) => `    (name = ${text(name)}, text = ${text(value)}),`,
  )
  if (object) {
    const { binding, className } = object
    bindings.push(`    (name = ${text(binding)}, durableObjectNamespace = ${text(className)}),`)
  }
  const objects = object
    ? `durableObjectNamespaces = [
    (className = ${text(object.className)}, uniqueKey = ${text(`chatlio-edge-relay-${object.className}`)}, enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),`
    : ''
  const embedded = Object.entries(modules).map(
    ([name, file]) => `    (name = ${text(name)}, esModule = embed ${text(file)}),`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "relay", worker = .relay),
    (name = "storage", disk = (path = ${text(storage)}, writable = true)),
    (name = "internet", network = (allow = ["127.0.0.0/8"])),
  ],
  sockets = [(name = "http", address = ${text(address)}, http = (), service = "relay")],
);

const relay :Workerd.Worker = (
  modules = [
${embedded.join('\n')}
  ],
  compatibilityDate = ${text(compatibilityDate)},
  bindings = [
${bindings.join('\n')}
  ],
  ${objects}
);
`
}

const OUTBOX = { binding: 'OUTBOX', className: 'Outbox' }

const text = (value: string) => JSON.stringify(value)
