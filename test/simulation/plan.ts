/**
 * What happens in a run, all of it data: who writes, what fails, what operators do. Made from a seed; a plan with items left
 * out is a plan as well, which is how a failing one is made shorter.
 */

export type AepAnswer =
  | '400'
  | '413'
  | '401'
  | '403'
  | '404'
  | '500'
  | '503'
  | '503-wait'
  | '429'
  | '429-wait'
  | 'silent'
  | 'slow'
  | 'reset'
  | 'lost-answer'
  | 'empty'
  | 'wrong-number'
  /** A redirect. */
  | '307'
  | '408'
  /** With a `Retry-After` that is none, or of long ago. */
  | '429-odd'
  /** 200, and what a proxy shows to people. */
  | 'html'
  /** 200, and the connection breaks within its body. */
  | 'half'

export type Lasting = { from: number; to: number }

export type AepFault = Lasting & {
  what: 'aep'
  answer: AepAnswer
  share: number
  kinds: readonly string[] | null
  /** Of the identity service, not of the endpoint. */
  ims: boolean
}
type RpcHow = 'lost-there' | 'lost-back' | 'twice' | 'silent' | 'slow' | 'overloaded'
type RpcFault = Lasting & { what: 'rpc'; how: RpcHow; share: number }
export type StorageTrouble = Lasting & {
  what: 'storage'
  how: 'full' | 'fails' | 'slow'
  share: number
}
type SenderFault = Lasting & { what: 'sender'; share: number }
/**
 * What AEP does with records that it has accepted, and how it answers whoever reads what landed: it refuses them later, loses
 * them, or its read-only side answers so.
 */
export type LandedFault = Lasting & {
  what: 'landed'
  how: 'fails' | 'lost' | '403' | '500' | 'silent' | 'slow'
  share: number
}
/** Chatlio sends no transcripts. */
type ChatlioFault = Lasting & { what: 'chatlio' }
type Moment =
  | { what: 'object'; at: number; how: 'killed' | 'reset' | 'evicted' }
  | { what: 'isolate'; at: number }
  | { what: 'alarm-lost'; at: number }
  | { what: 'clock'; at: number; of: 'object' | 'isolate'; ms: number; forMs: number }
  | { what: 'deploy'; at: number; settings: Settings }
  | { what: 'operator'; at: number; does: OperatorAction }
export type OperatorAction =
  | { name: 'pause' | 'resume' | 'end-suppression' | 'delete-newest' | 'delete-dead' }
  | { name: 'redrive'; state: 'dead' | 'quarantined' }
  | { name: 'erase'; person: number; days: number }
export type Fault =
  | AepFault
  | RpcFault
  | StorageTrouble
  | SenderFault
  | LandedFault
  | ChatlioFault
  | Moment

export type Settings = {
  format: 'raw' | 'xdm'
  tenant: string
  /** AEP refuses everything that comes under this flow. */
  flow: string
  token: boolean
  forwardMs: number
  maxEventBytes: number
  redact: 'none' | 'card'
  /** Of `KEYS`, those that let in. */
  keys: readonly number[]
  /** After which a conversation should have its transcript. */
  completeHours: number
}

export type Quality = 'good' | 'invalid' | `poison-${AepAnswer}`
export type Webhook = {
  at: number
  serial: number
  kind: string
  person: number
  /** Its number, which a chat's beginning and its transcript share. */
  conversation: number
  quality: Quality
  body: string
  id: string
  /** When its sender sends it once more: a proxy in between, or by hand. */
  again?: readonly number[]
}

export type Plan = {
  seed: number
  /** How long there are faults and webhooks; then a calm. */
  ms: number
  isolates: number
  settings: Settings
  faults: readonly Fault[]
  webhooks: readonly Webhook[]
}

export const KINDS = [
  'transcript',
  'offline-message',
  'new-conversation',
  'unanswered',
  'feedback',
] as const
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export function startOf(fault: Fault): number {
  return 'from' in fault ? fault.from : fault.at
}

/** When it is over; a moment and what follows from it at once. */
export function endOf(fault: Fault): number {
  if ('to' in fault) return fault.to
  return fault.what === 'clock' ? fault.at + fault.forMs : fault.at
}

export const visitorOf = (person: number) => `visitor-${person}`
