/**
 * Diagnosis: from what happened to the samples, the one cause that explains it and what to do. Pure.
 * Each cause is recognised by something that only it produces: a status, a hold, or the words in which AEP names the field. AEP's
 * words are no contract, so where they say nothing the cause is given as open and the words are shown.
 */
import { type ConfigProblem, SECRETS } from '../../worker/config/variables.ts'
import { type AepError, type SampleOutcome, wordsOf } from './sample.ts'

/** Where this relay is configured, how it is deployed and followed, and how it gets a secret. */
type Commands = {
  readonly config: string
  readonly deploy: string
  readonly tail: string
  readonly secret: (name: string) => string
}

export type Findings = {
  readonly samples: readonly SampleOutcome[]
  /** Of `/admin/status`; `null`: none, or not known. */
  readonly hold: string | null
  /** Of `/health`. */
  readonly reasons: readonly string[]
  /** Settings that the relay itself calls missing or wrong. */
  readonly problems: readonly ConfigProblem[]
  readonly commands: Commands
}

/** `null`: nothing to explain. */
export function diagnose(findings: Findings): string | null {
  const { samples, hold, reasons, problems, commands } = findings
  const { config, deploy, tail } = commands
  const bad = samples.filter(({ end }) => end !== 'relayed')
  if (bad.length === 0 && hold === null) return null
  const errors = bad.flatMap(({ error }) => (error ? [error] : []))
  if (hold === 'paused' || reasons.includes('paused')) {
    return 'Relaying is paused: webhooks are stored and nothing is lost. Resume on its page (/admin) ends the pause.'
  }
  if (problems.length > 0) return settings(problems, commands)
  const held = errors.find(({ code, message }) => code === 'credentials' || isRefusedByIms(message))
  if (held || hold === 'credentials' || reasons.includes('credentials'))
    return credentials(held, commands)
  if (errors.some(({ code, status }) => code === 'too-large' || status === 413)) {
    return 'AEP refuses a test event as too large, though it has a few hundred bytes: a proxy or a quota stands between the relay and AEP. Look at its answer on the page, then redrive it.'
  }
  const refused = errors.find(({ code }) => code === 'rejected')
  if (refused) return refusal(refused, deploy)
  if (errors.some(({ code }) => code === 'configuration')) {
    return `AEP has no streaming endpoint at AEP_ENDPOINT: compare it with the one in the dataflow, then \`${deploy}\`. Everything is stored until then.`
  }
  if (reasons.includes('configuration') || hold === 'configuration') {
    return `A setting of the relay is missing or wrong: \`${tail}\` shows a line \`configuration\` that names it. Correct it in ${config}, then \`${deploy}\`. Everything is stored until then.`
  }
  if (hold === 'rejecting' || reasons.includes('rejecting')) {
    return 'AEP refuses every event, so a setting is wrong: compare AEP_FLOW_ID (and in xdm AEP_ORG_ID, AEP_DATASET_ID, AEP_SCHEMA_ID) with AEP. Everything is stored until then.'
  }
  const deferred = errors[0]
  if (deferred || reasons.includes('upstream')) return outage(deferred)
  return bad.some(({ end }) => end === 'waiting' || end === 'refused')
    ? 'Why they were stored can be read with the admin token only: set ADMIN_TOKEN, or give --admin-token.'
    : null
}

function settings(
  problems: readonly ConfigProblem[],
  { config, deploy, secret }: Commands,
): string {
  const named = problems.map(({ variable, expected }) => `${variable} (expected: ${expected})`)
  const [missing] = problems.filter(({ variable }) => SECRETS.includes(variable))
  const first = missing
    ? `\`${secret(missing.variable)}\` asks for a secret; others are corrected in ${config}, then \`${deploy}\``
    : `Correct it in ${config}, then \`${deploy}\``
  return `Missing or wrong: ${named.join('; ')}. ${first}. Everything is stored until then.`
}

/** In the Worker's own words. */
const isRefusedByIms = (message: string) => message.startsWith('IMS refused')

function credentials(error: AepError | undefined, { config, deploy }: Commands): string {
  const by = error && isRefusedByIms(error.message) ? "Adobe's login" : 'AEP'
  const who = `${by} refuses the credentials${error?.status ? ` (${error.status})` : ''}`
  return `${who}. If the relay is set up without a credential, the endpoint asks for one: set AEP_CLIENT_ID in ${config} and have AEP_CLIENT_SECRET in the environment of \`${deploy}\`, both in one deploy, since one without the other relays nothing. If it has one, check both and AEP_SCOPES, and that the credential may write to this sandbox. Everything is stored until then.`
}

function refusal(error: AepError, deploy: string): string {
  // Every text of the inlet names the inlet and the organization it belongs to: that is no accusation.
  const words = `${error.message} ${error.answer}`.replaceAll(/(inletId|imsOrgId): \[[^\]]*\]/g, '')
  const after = `then \`${deploy}\`. The events are stored: redrive those that are dead afterwards.`
  if (/flow ?-?id|dataflow/i.test(words)) {
    return `Wrong flow id: AEP has no such dataflow on this endpoint. Compare AEP_FLOW_ID with the dataflow, ${after}`
  }
  if (/ims ?org|organi[sz]ation/i.test(words)) {
    return `Wrong organization: AEP_ORG_ID is not the one this endpoint belongs to. Correct it, ${after}`
  }
  if (/dataset/i.test(words)) return `Wrong dataset: compare AEP_DATASET_ID with AEP, ${after}`
  if (/schema ?(id|ref)/i.test(words))
    return `Wrong schema: compare AEP_SCHEMA_ID with AEP, ${after}`
  return `AEP refuses the events: ${error.message}${wordsOf(error.answer)}. Compare the schema and the mapping with docs/setup.md, ${after}`
}

function outage(error: AepError | undefined): string {
  const said = error ? ` (${error.message}${error.status ? `, ${error.status}` : ''})` : ''
  return `AEP is down, slow or throttling${said}. Nothing is lost: the webhooks are stored and relayed once it answers. If it lasts, check the host in AEP_ENDPOINT and Adobe's status page.`
}
