/**
 * `npm run verify`: tries a deployed relay from outside, as Chatlio would, and says in one table what is well and what
 * is not. Promises: it sends events of the test person only, one of each kind, and says how to erase them; it changes
 * nothing else; it never prints the key or the token. 0 only if every check that could be made is good.
 */
import { randomBytes } from 'node:crypto'
import { ROUTE_KINDS } from '../../worker/chatlio/kind.ts'
import { TEST_EVENT_TYPE, TEST_PERSON } from '../../worker/chatlio/person.ts'
import { commandLine, wranglerLine } from '../lib/command.ts'
import { keepSecret, printableLines } from '../lib/printable.ts'
import { runCommand } from '../lib/run.ts'
import { paint, wrap } from '../lib/style.ts'
import { platformFor } from './dataflow.ts'
import { diagnose } from './diagnosis.ts'
import { checkAdmin, checkFront, checkHealth, checkLanded, readProblems } from './front.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { type Row, table } from './row.ts'
import { type SampleOutcome, sampleRow, trySample } from './sample.ts'

/** Resolves with the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args, process.env), USAGE, verifyAll)
}

async function verifyAll(options: Options): Promise<number> {
  keepSecret(options.key)
  const { rows, notes } = await verify(options)
  console.log(`${options.base}\n\n${table(rows)}`)
  for (const note of notes) console.log(`\n${printableLines(note)}`)
  const well = rows.every(({ ok }) => ok !== false)
  console.log(
    `\n${well ? paint('green', 'All is well.') : paint('red', 'Not everything is well.')}`,
  )
  return well ? 0 : 1
}

type Report = { readonly rows: readonly Row[]; readonly notes: readonly string[] }

async function verify(options: Options): Promise<Report> {
  const { base, adminToken } = options
  const front = await checkFront(base, commandLine('deploy', options))
  if (!front.open) return { rows: front.rows, notes: [] }

  const before = await checkAdmin(base, adminToken)
  const usable = { ...options, adminToken: before.operator && adminToken }
  const run = randomBytes(5).toString('hex')
  const platform = await platformFor(options)
  const ended = await platform.begin()
  const samples: SampleOutcome[] = []
  for (const kind of ROUTE_KINDS) {
    const sample = await trySample(kind, usable, run)
    if (isWrongKey(sample)) {
      const text = 'wrong key: the relay answers 401. With it in Chatlio every event would be lost.'
      return { rows: [...front.rows, { check: 'key', ok: false, text }], notes: [] }
    }
    samples.push(sample)
  }
  const health = await checkHealth(base)
  const after = before.operator ? await checkAdmin(base, adminToken) : before
  const landed = after.operator && (await checkLanded(after.operator))
  const relayed = samples.filter(({ end }) => end === 'relayed').length
  const rows = [
    ...front.rows,
    { check: 'key', ok: true, text: 'accepted' },
    ...samples.map(sampleRow),
    health.row,
    after.row,
    ...(landed ? [landed] : []),
    ...(await ended(relayed)),
  ]
  const commands = {
    deploy: commandLine('deploy', options),
    // It reads no setting.
    tail: commandLine('tail', { ...options, envFile: null }),
    secret: (name: string) => wranglerLine(`secret put ${name}`, options),
  }
  const asks = health.reasons.includes('configuration') && after.operator
  const problems = asks ? await readProblems(asks) : []
  const cause = diagnose({ samples, hold: after.hold, reasons: health.reasons, problems, commands })
  return { rows, notes: [...(cause ? [wrap(cause)] : []), eraseNote(options)] }
}

/** The command stands on a line of its own, to be run as it is. */
function eraseNote(options: Options): string {
  const who = ['--email', TEST_PERSON.email, '--visitor', TEST_PERSON.uuid, '--suppress-days', '0']
  const command = commandLine('erase', options, ...who, '--url', options.base)
  return `${wrap(`The test events are of ${TEST_PERSON.email}, always the same; in AEP their eventType is ${TEST_EVENT_TYPE}. This erases what the relay has of them (it reads ADMIN_TOKEN, from the environment or the same file) and suppresses nobody:`)}\n  ${command}`
}

function isWrongKey({ reply }: SampleOutcome): boolean {
  return reply.by === 'relay' && reply.status === 401
}
