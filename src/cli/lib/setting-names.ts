/** The names of the relay's settings, from the one list that its generated types are made of. */
import { readFileSync } from 'node:fs'

const LIST = new URL('../../worker/env.vars', import.meta.url)

export const SETTING_NAMES: ReadonlySet<string> = new Set(
  Array.from(
    readFileSync(LIST, 'utf8').matchAll(/^([A-Z][A-Z0-9_]*)=/gm),
    ([, name]) => name ?? '',
  ),
)
