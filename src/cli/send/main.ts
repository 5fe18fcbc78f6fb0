/**
 * `npm run send`: posts one webhook to a relay and shows the answer. Without --file it is one of a test visitor, a new
 * event each time. Prints no key.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { commandLine } from '../lib/command.ts'
import { whyUnreadable } from '../lib/env-file.ts'
import { keepSecret, printable, printableLines } from '../lib/printable.ts'
import { askRelay, explainReply, type Fields } from '../lib/relay-reply.ts'
import { runCommand } from '../lib/run.ts'
import { mark, marked, wrap } from '../lib/style.ts'
import { newPerson, testWebhook } from '../lib/test-webhook.ts'
import { type Options, readOptions, USAGE } from './options.ts'

/** Resolves with the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args, process.env), USAGE, send)
}

async function send(options: Options): Promise<number> {
  keepSecret(options.key)
  let body: Uint8Array<ArrayBuffer> | string
  try {
    body = await bodyOf(options)
  } catch (error) {
    console.error(printable(`${options.file} ${whyUnreadable(error)}.`))
    return 2
  }
  const path = options.route === 'auto' ? '/chatlio' : `/chatlio/${options.route}`
  const url = `${options.base}${path}?key=${encodeURIComponent(options.key)}`
  const headers = { 'content-type': 'application/json' }
  const reply = await askRelay(url, { method: 'POST', headers, body })
  if (reply.by !== 'relay') {
    console.error(`${printableLines(marked(false, explainReply(reply)))}`)
    return 1
  }
  const taken = reply.status >= 200 && reply.status < 300
  console.log(`${mark(taken)} ${reply.status} ${printable(answerText(reply.body))}`)
  const more = taken
    ? meaningOf(String(reply.body.status), options)
    : `${problemText(reply.body)} ${whereItIs(reply.body, options)}`
  if (more) console.log(wrap(printable(more), '  '))
  return taken ? 0 : 1
}

async function bodyOf({ file, route }: Options): Promise<Uint8Array<ArrayBuffer> | string> {
  const run = randomBytes(5).toString('hex')
  if (file === null) return testWebhook(route, run, new Date(), newPerson(run))
  return new Uint8Array(file === '-' ? await buffer(process.stdin) : await readFile(file))
}

/** Of an answer that takes the webhook and does not relay it. */
function meaningOf(status: string, options: Options): string | null {
  const verify = `\`${commandLine('verify', options, '--url', options.base)}\` says why.`
  if (status === 'buffered') return `Stored: not relayed to AEP yet. ${verify}`
  if (status === 'dead-lettered') return `Stored: AEP refused it. ${verify}`
  if (status === 'suppressed') return 'Not relayed: its visitor has been erased and is suppressed.'
  return null
}

function answerText({ status, code, id }: Fields): string {
  const outcome = typeof status === 'string' ? status : code
  return [outcome, ...(id ? [`id ${id}`] : [])].join('  ')
}

/** Where the relay names the places of the faults, they stand in the place of its hint at them. */
function problemText({ detail, issues }: Fields): string {
  if (!Array.isArray(issues)) return String(detail)
  const places = issues.map(({ path, message }: Fields) => `${path}: ${message}`)
  return `${String(detail).replace(/: see issues\.$/, '')}: ${places.join('; ')}.`
}

/** Only what is stored has an id. */
function whereItIs({ id }: Fields, { base }: Options): string {
  return id
    ? `Stored in quarantine, until somebody redrives or deletes it: ${base}/admin/ui/events/${id}`
    : 'Neither relayed nor stored.'
}
