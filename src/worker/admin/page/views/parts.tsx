/** Small parts that every view is made of. */
import type { Child, JSX, PropsWithChildren } from 'hono/jsx'
import { moment } from '../../../alerts/words.ts'

/** `exact`: shown as it is, to the second, where the order of things matters. */
export function Time({ at, exact }: { at: string; exact?: boolean }) {
  return (
    <time datetime={at} data-exact={exact}>
      {exact ? `${at.slice(0, 19).replace('T', ' ')} UTC` : moment(Date.parse(at))}
    </time>
  )
}

export const Count = ({ of }: { of: number }) => <>{of.toLocaleString('en-US')}</>

/** What stands between backticks is code. */
export function Words({ of }: { of: string }) {
  return <>{of.split('`').map((part, index) => (index % 2 ? <code>{part}</code> : part))}</>
}

/** Values of a form or an address; what is not given is left out. */
export type Values = Readonly<Record<string, string | number | undefined>>

export function Hidden({ values }: { values: Values }) {
  return (
    <>
      {given(values).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
    </>
  )
}

export function href(path: string, values: Values): string {
  const query = new URLSearchParams(given(values)).toString()
  return query === '' ? path : `${path}?${query}`
}

function given(values: Values): [string, string][] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
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

type ActionProps = PropsWithChildren<{ to: string; values?: Values; look?: Look }>

/** One button that does something. */
export function Action({ to, values = {}, look, children }: ActionProps) {
  return (
    <form method="post" action={`/admin${to}`}>
      <Hidden values={values} />
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

/** A table that scrolls by itself where it does not fit. */
export function Table(props: PropsWithChildren<{ caption: string; heads: readonly string[] }>) {
  const { caption, heads, children } = props
  return (
    <section class="scroll" aria-label={caption} {...BY_KEYBOARD}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col">{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}

type FactsProps = { of: readonly (readonly [string, Child])[]; joints?: readonly string[] }

/** Terms and what they are, in a row; `joints` stand between them. */
export function Facts({ of, joints = [] }: FactsProps) {
  return (
    <dl class="eq">
      {of.map(([term, value], index) => (
        <div>
          <dt>{term}</dt>
          <dd>
            {value} <span class="soft">{joints[index]}</span>
          </dd>
        </div>
      ))}
    </dl>
  )
}
