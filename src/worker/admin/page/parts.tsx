/** Small parts that every view is made of. */
import type { Child, JSX, PropsWithChildren } from 'hono/jsx'
import { moment } from '../../alerts/words.ts'
import type { CommandName } from '../api.ts'
import { formPath, given, type Values } from './addresses.ts'

/** `exact`: shown as it is, to the second, where the order of things matters; `bare`: where a column says that it is UTC. */
export function Time({ at, exact, bare }: { at: string; exact?: boolean; bare?: boolean }) {
  const seconds = at.slice(0, 19).replace('T', ' ')
  return (
    <time datetime={at} data-exact={exact || bare || undefined}>
      {bare ? seconds : exact ? `${seconds} UTC` : moment(Date.parse(at))}
    </time>
  )
}

/** A cell of a table. */
export const TimeCell = ({ at, bare, wide }: { at: string; bare?: boolean; wide?: boolean }) => (
  <td class={wide ? 'at wide' : 'at'}>
    <Time at={at} bare={bare === true} />
  </td>
)

type WhenProps = { before?: string; at: string | null | undefined; after?: string; exact?: boolean }

/** A moment with the words around it; renders nothing without a moment. */
export function When({ before, at, after, exact = false }: WhenProps) {
  return at ? (
    <>
      {before}
      <Time at={at} exact={exact} />
      {after}
    </>
  ) : null
}

/** What stands between backticks is code. */
export function Words({ of }: { of: string }) {
  return <>{of.split('`').map((part, index) => (index % 2 ? <code>{part}</code> : part))}</>
}

export function Hidden({ values }: { values: Values }) {
  return (
    <>
      {given(values).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
    </>
  )
}

type Look = 'main' | 'no' | 'plain' | undefined

export function Button({ look, children }: PropsWithChildren<{ look?: Look }>) {
  return (
    <button type="submit" class={look}>
      {children}
    </button>
  )
}

/** Where the form of a command goes; `back`: the page that then says what it did, without it the overview. */
type ActionProps = PropsWithChildren<{
  does: CommandName
  values?: Values
  back?: string
  look?: Look
  /** Milliseconds after which the page does it by itself. */
  after?: number
}>

/** One button that runs a command. */
export function Action({ does, values = {}, back, look, after, children }: ActionProps) {
  const hasId = formPath(does).includes('{id}')
  const { id, ...rest } = values
  const fields = hasId ? rest : values
  const path = formPath(does).replace('{id}', encodeURIComponent(String(id ?? '')))
  return (
    <form method="post" action={`/admin${path}`} data-after={after}>
      <Hidden values={{ ...fields, back }} />
      <Button look={look}>{children}</Button>
    </form>
  )
}

type FieldProps = JSX.IntrinsicElements['input'] & { label: string; name: string }

export function Field({ label, ...input }: FieldProps) {
  return (
    <label>
      {label}
      <input autocomplete="off" {...input} />
    </label>
  )
}

type ChoiceProps = { label: string; name: string; value?: string | undefined; any?: string }

export function Choice(props: ChoiceProps & { options: Readonly<Record<string, string>> }) {
  const { label, name, value, any, options } = props
  return (
    <label>
      {label}
      <select name={name}>
        {any && <option value="">{any}</option>}
        {Object.entries(options).map(([key, text]) => (
          <option value={key} selected={key === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}

/** What scrolls must be reached without a mouse. */
const BY_KEYBOARD = { tabindex: 0 }

/**
 * A table that scrolls by itself where it does not fit. A head that begins with `#` is one of figures. `tight`: of low rows,
 * which are lines of text on a phone; `flat`: and stay rows there, since their figures say nothing without heads; `even`:
 * with the columns of its neighbours.
 */
type TableProps = { caption: string; heads: readonly string[]; tight?: boolean | 'flat' | 'even' }

export function Table({ caption, heads, tight, children }: PropsWithChildren<TableProps>) {
  return (
    <section class="scroll" aria-label={caption} {...BY_KEYBOARD}>
      <table class={typeof tight === 'string' ? `tight ${tight}` : tight ? 'tight' : undefined}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col" class={head.startsWith('#') ? 'n' : undefined}>
                {head.replace('#', '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}

/** Terms and what they are, in equal columns. */
export function Facts({ of }: { of: readonly (readonly [string, Child])[] }) {
  return (
    <dl class="eq">
      {of.map(([term, value]) => (
        <div>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
