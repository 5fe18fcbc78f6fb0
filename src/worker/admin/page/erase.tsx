/**
 * Who is suppressed, and erasing a person, as `npm run erase` does: it counts first and asks, then erases round by round until
 * every isolate has heard of the suppression and a round finds nothing. Then a receipt for the register, and the request for
 * Adobe, to copy.
 *
 * Promises: who it is stands in forms and answers, never in an address, which would be in logs and in the browser's history.
 * The receipt has no personal data; the request has, and says so. Accepts: what the rounds have done so far travels in the
 * operator's own form, and nothing is stored of it; a page that is left earlier has erased and suppressed all the same.
 */
import type { Child, PropsWithChildren } from 'hono/jsx'
import {
  areTooMany,
  distinctIdentities,
  type Identity,
  MAX_IDENTITIES,
  PRIVACY_JOBS,
  privacyRequest,
} from '../../aep/privacy-request.ts'
import namespace from '../../aep/schema/identity-namespace.json'
import { count, forRelay, type RelayName } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import {
  DEFAULT_SUPPRESS_DAYS,
  INFORMED_MS,
  MAX_ERASE_ROUNDS,
  MAX_SUPPRESS_DAYS,
} from '../../limits.ts'
import { type AppContext, type Services, servicesOf } from '../../services.ts'
import { COMMANDS, type Input } from '../api.ts'
import { checkForm, readForm } from '../input.ts'
import { operatorOf } from '../routes.ts'
import { addedUp } from '../run/events.ts'
import { suppressions } from '../run/people.ts'
import { run } from '../run/run.ts'
import { formPath, PLACES, wholeIn } from './addresses.ts'
import { badRequest, relayOf, respond } from './frame.tsx'
import { Action, Button, Choice, Facts, Field, Hidden, Table, Time } from './parts.tsx'

/** How a person can be named. */
export const PERSON = { email: 'Email', visitor: 'Visitor id' }

export async function showSuppressions(c: AppContext): Promise<Response> {
  const { count: number, rows } = await suppressions(servicesOf(c.env))
  return respond(
    c,
    { title: 'Suppressed people', place: 'suppressions' },
    <>
      <h1>Suppressed people: {number}</h1>
      {number === 0 ? (
        <p>Nobody is suppressed.</p>
      ) : (
        <>
          <Table
            caption="They are kept as keyed hashes, so nobody can be named here"
            rows={rows}
            columns={[
              ['Since', ({ since }) => <Time at={since} />],
              ['Until', ({ until }) => <Time at={until} />],
            ]}
            look="loose"
          />
          <h2>End one</h2>
          <form class="row" method="post" action={`/admin${formPath('endSuppression')}`}>
            <Hidden values={{ back: PLACES.suppressions }} />
            <Choice label="By" name="by" options={PERSON} />
            <Field label="The full address or id" name="value" required />
            <Button>End the suppression</Button>
          </form>
        </>
      )}
      <p>
        <a href={PLACES.erase}>Erase and suppress a person</a>
      </p>
    </>,
  )
}

/** Of one person. */
type Asked = { identities: readonly Identity[]; suppressDays: number }

type Found = Awaited<ReturnType<typeof eraseEach>>

const SUMMED = ['matched', 'erased', 'receipts'] as const
/** `since`: when the first round had ended, epoch milliseconds; 0 before it. */
const COUNTED = ['rounds', 'since', ...SUMMED] as const
type Rounds = Record<(typeof COUNTED)[number], number>

const respondErase = (c: AppContext, content: Child) =>
  respond(
    c,
    { title: 'Erase a person', place: 'erase' },
    <>
      <h1>Erase a person</h1>
      {content}
    </>,
  )

/** A form without `confirm` only counts. */
export async function showErase(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') return respondErase(c, <Ask />)
  const form = await readForm(c.req.raw)
  const asked = askedIn(form)
  if (typeof asked === 'string') return badRequest(c, asked)
  const isConfirmed = form.get('confirm') === '1'
  const found = await eraseEach(c, asked, !isConfirmed)
  if (!isConfirmed) return respondErase(c, <Confirm {...{ asked, found }} />)
  const now = servicesOf(c.env).rim.now()
  const before = Object.fromEntries(COUNTED.map((name) => [name, wholeIn(form, name)])) as Rounds
  const rounds = {
    rounds: before.rounds + 1,
    since: before.since || now,
    ...addedUp(before, found, SUMMED),
  }
  const isClean =
    before.since > 0 && now - before.since >= INFORMED_MS && found.matched + found.receipts === 0
  if (!isClean && rounds.rounds < MAX_ERASE_ROUNDS) {
    return respondErase(c, <Again {...{ asked, found, rounds }} />)
  }
  return showDone(c, asked, found, rounds, isClean)
}

/** The text says what cannot be read. */
function askedIn(form: URLSearchParams): Asked | string {
  const shared = new URLSearchParams(form)
  for (const name of ['by', 'value', 'confirm', ...COUNTED]) shared.delete(name)
  const kinds = form.getAll('by')
  const [first = '', ...others] = form.getAll('value')
  const inputs: Input<'erase'>[] = []
  for (const [index, value] of [first, ...others].entries()) {
    if (index > 0 && value.trim() === '') continue
    const one = new URLSearchParams([...shared, ['by', kinds[index] ?? ''], ['value', value]])
    const checked = checkForm(COMMANDS.erase.takes, one)
    if (!checked.ok) return checked.detail
    inputs.push(checked.output)
  }
  const identities = distinctIdentities(
    inputs.map(({ email, visitor = '' }) => {
      return { kind: email === undefined ? 'visitor' : 'email', value: email ?? visitor }
    }),
  )
  if (areTooMany(identities)) {
    return `expected up to ${MAX_IDENTITIES} addresses and ids, of which one whose domain has other letters than ASCII counts twice`
  }
  return { identities, suppressDays: inputs[0]?.suppressDays ?? DEFAULT_SUPPRESS_DAYS }
}

/** `until`: when the suppression of each ends, `null` for one that is not suppressed. */
async function eraseEach(c: AppContext, { identities, suppressDays }: Asked, dryRun: boolean) {
  const found = { matched: 0, erased: 0, receipts: 0, mentioned: 0 }
  const until: (string | null)[] = []
  for (const { kind, value } of identities) {
    const input = { [kind]: value, suppressDays, dryRun }
    const { answer: one } = await run(servicesOf(c.env), operatorOf(c), 'erase', input)
    if (!one) continue
    Object.assign(found, addedUp(found, one, SUMMED))
    // An event may mention several identities of one person.
    found.mentioned = Math.max(found.mentioned, one.mentioned)
    until.push(one.suppressedUntil)
  }
  return { ...found, until }
}

/** By the name of the namespace: its number is known only to those who may read AEP. */
function requestOf({ config }: Services, { identities }: Asked, key: string) {
  const { destination, readAccess } = config
  const isXdm = destination?.format === 'xdm'
  const code = isXdm ? destination.visitorNamespace : namespace.code
  const orgId = readAccess.available ? readAccess.orgId : isXdm ? destination.orgId : null
  return privacyRequest(identities, key, {
    orgId,
    visitors: { code, id: null },
    regulation: 'gdpr',
  })
}

/** That erases here once more, finds nothing, and asks Adobe. */
function commandOf(relay: RelayName, { identities, suppressDays }: Asked): string {
  const named = identities.flatMap(({ kind, value }) => [`--${kind}`, quoted(value)])
  const days = suppressDays === DEFAULT_SUPPRESS_DAYS ? [] : ['--suppress-days', suppressDays]
  const command = forRelay('`npm run erase -- --aep`', relay).replaceAll('`', '')
  return [command, ...named, ...days].join(' ')
}

/** As a shell reads it. */
const quoted = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

function Ask() {
  return (
    <>
      <form method="post" action={PLACES.erase}>
        <div class="row">
          <Choice label="By" name="by" options={PERSON} />
          <Field label="The full address or id" name="value" required />
          <Field
            label="Days to suppress"
            name="suppressDays"
            type="number"
            min={0}
            max={MAX_SUPPRESS_DAYS}
            value={DEFAULT_SUPPRESS_DAYS}
            required
          />
        </div>
        <details>
          <summary>More addresses and ids of the same person</summary>
          {Array.from({ length: MAX_IDENTITIES - 1 }, () => (
            <div class="row">
              <Choice label="By" name="by" options={PERSON} />
              <Field label="Another of theirs" name="value" />
            </div>
          ))}
        </details>
        <div class="row">
          <Button look="main">Show what there is</Button>
        </div>
      </form>
      <p class="soft">
        While suppressed, new events of this person are counted and dropped. Give all that you know
        of them at once: Adobe's Profile deletes by it.
      </p>
      <p>
        <b>Adobe still holds what it accepted.</b> It is deleted by a job of{' '}
        <a href="https://experienceleague.adobe.com/en/docs/experience-platform/privacy/api/privacy-jobs">
          Privacy Service
        </a>
        : its request is shown at the end, with the command that sends it.
      </p>
    </>
  )
}

const valuesOf = ({ identities, suppressDays }: Asked) => ({
  by: identities.map(({ kind }) => kind),
  value: identities.map(({ value }) => value),
  suppressDays,
  confirm: 1,
})

function Confirm({ asked, found }: { asked: Asked; found: Found }) {
  const { identities, suppressDays } = asked
  return (
    <section class="card warn">
      <h2>
        Nothing has been erased yet. Found for {identities.map(({ value }) => value).join(', ')}:
      </h2>
      <Facts
        of={[
          ['Stored events', found.matched],
          ['Receipts', found.receipts],
          ['Others that mention them, which are kept', found.mentioned],
        ]}
      />
      <ul>
        {identities.map(({ value }, index) => (
          <li>
            {value} is {found.until[index] ? 'suppressed already, until ' : 'not suppressed'}
            <Time at={found.until[index]} exact after=": this makes it longer, never shorter" />.
          </li>
        ))}
      </ul>
      <div class="row">
        <Action does="erase" values={valuesOf(asked)} look="no">
          {suppressDays > 0 ? `Erase, and suppress for ${suppressDays} days` : 'Erase'}
        </Action>
        <a href={PLACES.erase}>Cancel</a>
      </div>
    </section>
  )
}

const soFar = ({ erased, receipts }: Pick<Rounds, 'erased' | 'receipts'>, mentioned: number) =>
  `${count(erased, 'event')} and ${count(receipts, 'receipt')} of this person erased.${
    mentioned === 0 ? '' : ` Kept: ${count(mentioned, 'event')} of others, which only mention them.`
  }`

function Again({ asked, found, rounds }: { asked: Asked; found: Found; rounds: Rounds }) {
  return (
    <section class="card warn" role="status">
      <h2>Not done yet: once more in {INFORMED_MS / 1_000} seconds</h2>
      <p>{soFar(rounds, found.mentioned)}</p>
      <p>
        Until then, an isolate of the relay that has not heard of it may still take events of this
        person. This page goes on by itself where scripts run, until a round finds nothing.
      </p>
      <Action
        does="erase"
        values={{ ...valuesOf(asked), ...rounds }}
        after={INFORMED_MS}
        look="main"
      >
        Erase what came meanwhile
      </Action>
    </section>
  )
}

/** The receipt is as the command writes it. */
async function showDone(
  c: AppContext,
  asked: Asked,
  { mentioned, until }: Found,
  { since: _, ...sums }: Rounds,
  nothingLeft: boolean,
): Promise<Response> {
  const services = servicesOf(c.env)
  const at = toIso(services.rim.now())
  const key = `erase-${at.slice(0, 10)}-${services.rim.randomBytes(8).toHex()}`
  const ends = until.filter((end) => end !== null).sort()
  const [suppressedUntil = null] = ends
  const { rows } = await suppressions(services)
  const countOf = (wanted: Identity['kind']) =>
    asked.identities.filter(({ kind }) => kind === wanted).length
  const receipt = {
    key,
    at,
    relay: relayOf(c).publicUrl,
    identities: { email: countOf('email'), visitor: countOf('visitor') },
    dryRun: false,
    ...sums,
    mentioned,
    suppressedUntil,
    suppressions: rows.filter((row) => ends.includes(row.until)).map(({ id }) => id),
    nothingLeft,
    regulation: 'gdpr',
    job: null,
  }
  return respondErase(
    c,
    <>
      <section class={nothingLeft ? 'card ok' : 'card bad'} role="status">
        <h2>
          {nothingLeft
            ? 'The relay holds nothing of this person any more'
            : 'Events of this person still arrive or stay: erase again'}
        </h2>
        <p>{soFar(sums, mentioned)}</p>
        <p>
          <Time
            before="New events of theirs are counted and dropped until "
            at={suppressedUntil}
            after="."
            exact
          />
          {!suppressedUntil && 'They are not suppressed: new events of theirs are taken.'}
        </p>
      </section>
      <Copied title="The receipt, for your register" id="receipt" value={receipt}>
        It has no personal data.
      </Copied>
      <Copied title="The request for Adobe" id="request" value={requestOf(services, asked, key)}>
        <b>Adobe still holds what it accepted.</b> It names the person: send it to{' '}
        <code>POST https://platform.adobe.io{PRIVACY_JOBS}</code>, once, with every other address
        and id that you know of them, and the <code>regulation</code> that applies. Or run{' '}
        <code>{commandOf(relayOf(c), asked)}</code>, with <code>ADMIN_TOKEN</code> and a credential
        for Privacy Service in that file. A job takes 15 to 45 days.
      </Copied>
      <p>
        <a href={PLACES.erase}>Erase another person</a>
      </p>
    </>,
  )
}

type CopiedProps = PropsWithChildren<{ title: string; id: string; value: object }>

function Copied({ title, id, value, children }: CopiedProps) {
  return (
    <>
      <h2>{title}</h2>
      <p>{children}</p>
      <button type="button" data-copies={id} hidden>
        Copy
      </button>
      <pre tabindex={0}>
        <code id={id}>{JSON.stringify(value, null, 2)}</code>
      </pre>
    </>
  )
}
