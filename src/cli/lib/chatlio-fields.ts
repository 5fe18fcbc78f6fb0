/**
 * Chatlio's side: where each webhook URL goes in the widget's settings.
 * Adobe's guide gives the label of one field word for word (CHATUI); the others are named here as Chatlio's own
 * webhook page names the events, which is as near as the documents come.
 */
import { ROUTE_KINDS, type RouteKind } from '../../worker/chatlio/kind.ts'

export type ChatlioField = {
  readonly kind: RouteKind
  readonly label: string
  /** What else must be set there, or nothing comes. */
  readonly also?: string
}

export const CHATLIO_PLACE =
  'Chatlio dashboard > your widget > Behavior > "Webhooks and post-chat actions"'

const LABELS: Record<RouteKind, Omit<ChatlioField, 'kind'>> = {
  transcript: {
    label: 'Transcript webhook',
    also: 'and switch on "send the transcript to the webhook automatically": without it none comes',
  },
  'offline-message': { label: 'Webhook for a new offline message' },
  'new-conversation': { label: 'Webhook when a new conversation starts' },
  unanswered: { label: 'Webhook for an unanswered visitor message' },
  feedback: { label: 'Webhook when a visitor left feedback' },
}

export const CHATLIO_FIELDS: readonly ChatlioField[] = ROUTE_KINDS.map((kind) => ({
  kind,
  ...LABELS[kind],
}))
