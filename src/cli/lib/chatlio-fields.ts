/**
 * Chatlio's side: where each webhook URL goes in the widget's settings.
 * The labels are those of the samples; the section and the switch are named in Chatlio's page on transcripts.
 */
import { ROUTE_KINDS, type RouteKind } from '../../worker/chatlio/kind.ts'
import { SAMPLES } from '../start/samples.ts'

type ChatlioField = {
  readonly kind: RouteKind
  readonly label: string
  /** What else must be set there, or nothing comes. */
  readonly also?: string
}

export const CHATLIO_PLACE =
  'Chatlio dashboard > your widget > Behavior > Webhooks and post-chat actions'

export const CHATLIO_FIELDS: readonly ChatlioField[] = ROUTE_KINDS.map((kind) => ({
  kind,
  label: SAMPLES.find(({ path }) => path === `/chatlio/${kind}`)?.field ?? kind,
  ...(kind === 'transcript' && {
    also: 'and switch on "send the transcript to the webhook automatically", or none comes',
  }),
}))
