/**
 * What standard fields take, as regular expressions that both formats use: the XDM encoder, and the mapping of a raw
 * dataflow. They hold no backslash and no quote, since they stand inside texts of Data Prep's expressions (RE2 and Java
 * read them alike).
 */

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const IPV4 = `(${OCTET}[.]){3}${OCTET}`
const H = '[0-9a-fA-F]{1,4}'

/** With `::` after so many groups at most; the last 32 bits may be written as IPv4. */
const IPV6 = [
  `(${H}:){7}(${H}|:)`,
  `(${H}:){6}(${IPV4}|:${H}|:)`,
  ...[5, 4, 3, 2, 1, 0].map((before) => {
    const after = 7 - before
    return `(${H}:){${before}}((:${H}){1,${after}}|(:${H}){0,${after - 2}}:${IPV4}|:)`
  }),
]
  .map((form) => (form.startsWith(`(${H}:){0}`) ? `:${form.slice(`(${H}:){0}`.length)}` : form))
  .join('|')

const DAY = '(0[1-9]|[12][0-9])'
const MONTH_DAY = `((0[13578]|1[02])-(${DAY}|3[01])|(0[469]|11)-(${DAY}|30)|02-${DAY})`

export const PATTERNS = {
  ipV4: `^${IPV4}$`,
  ipV6: `^(${IPV6})$`,
  /** As the relay writes times that it can read. */
  dateTime: `^[0-9]{4}-${MONTH_DAY}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}[.][0-9]{3}Z$`,
  /** The current XDM data type sets no format, but an older one required a URL pattern without white space. */
  url: '^[a-zA-Z][a-zA-Z0-9+.-]*://[^ ]+$',
} as const
