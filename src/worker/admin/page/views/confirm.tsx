/** Asks before events are deleted; needs no script. */
import { count } from '../../../alerts/words.ts'
import { STATES } from './labels.ts'
import { Action, type Values } from './parts.tsx'

/** `values`: what the form sends: a filter, or one id. */
type ConfirmProps = { state: keyof typeof STATES; values: Values; matched: number; back: string }

export function ConfirmDelete({ state, values, matched, back }: ConfirmProps) {
  return (
    <>
      <h1>Delete {count(matched, `${STATES[state].toLowerCase()} event`)}?</h1>
      <p>
        They are erased here, with their payloads, and counted as erased. This cannot be undone.
      </p>
      <div class="row">
        {matched > 0 && (
          <Action to="/ui/delete" values={values} look="no">
            Delete {count(matched, 'event')}
          </Action>
        )}
        <a href={back}>Keep them</a>
      </div>
    </>
  )
}
