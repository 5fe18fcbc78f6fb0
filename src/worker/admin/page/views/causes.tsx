/** What was refused, grouped by what it has in common, with the two things to do about it. */
import { count } from '../../../alerts/words.ts'
import type { CauseView } from '../../operations/causes.ts'
import { NO_PATH } from '../../parameters.ts'
import { codeWords, list, MEANINGS, STATES } from './labels.ts'
import { Action, href, Time } from './parts.tsx'

export function Causes({ causes }: { causes: readonly CauseView[] }) {
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">Problems by cause</h2>
      {causes.length === 0 && <p>None: no event is dead or quarantined.</p>}
      {causes.map((cause) => (
        <CauseCard cause={cause} />
      ))}
    </section>
  )
}

function CauseCard({ cause }: { cause: CauseView }) {
  const { state, code, path, firstAt, lastAt, kinds } = cause
  const filter = { state, code, path: path ?? NO_PATH }
  const number = cause.count.toLocaleString('en-US')
  return (
    <article class="card bad">
      <h3>
        {codeWords(code)}
        {path && (
          <>
            {' '}
            at <code>{path}</code>
          </>
        )}
      </h3>
      <p>
        {count(cause.count, `${STATES[state].toLowerCase()} event`)}: {list(kinds)}. First{' '}
        <Time at={firstAt} />, last <Time at={lastAt} />.
      </p>
      <p class="soft">{MEANINGS[state]}</p>
      <div class="row">
        <a class="b" href={href('/admin/ui/events', filter)}>
          See these {number}
        </a>
        <Action to="/ui/redrive" values={{ ...filter, dryRun: 1 }}>
          Dry run
        </Action>
        <Action to="/ui/redrive" values={filter}>
          Redrive these {number}
        </Action>
      </div>
    </article>
  )
}
