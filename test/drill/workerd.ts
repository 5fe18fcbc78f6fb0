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

/**
 * In Cap'n Proto's text form, whose strings are those of JSON. `modules`: name and file of each, the main one first; files
 * are relative to the file that this text is written to. The Worker can reach this machine only.
 */
export function workerdConfig(
  modules: Readonly<Record<string, string>>,
  compatibilityDate: string,
  storage: string,
  vars: Readonly<Record<string, string>>,
): string {
  const bindings = Object.entries(vars).map(
    ([name, value]) => `    (name = ${text(name)}, text = ${text(value)}),`,
  )
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
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "relay")],
);

const relay :Workerd.Worker = (
  modules = [
${embedded.join('\n')}
  ],
  compatibilityDate = ${text(compatibilityDate)},
  bindings = [
    (name = "OUTBOX", durableObjectNamespace = "Outbox"),
${bindings.join('\n')}
  ],
  durableObjectNamespaces = [
    (className = "Outbox", uniqueKey = "chatlio-edge-relay-Outbox", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
);
`
}

const text = (value: string) => JSON.stringify(value)
