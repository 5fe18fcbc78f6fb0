/**
 * Keys of JSON objects that may be shown: names, not data. A map keyed by addresses, ids or words of a visitor must
 * neither tell them nor fill the list, so such keys become `*`.
 * Accepts: a name with many digits in it is hidden too.
 */

/** Longest name shown; no documented one is half as long. */
const MAX_NAME = 40

/** Unknown keys beside each other above this are a map. */
export const MAX_NEW_SIBLINGS = 20

export function shownName(key: string): string {
  if (key.length > MAX_NAME || !/^[A-Za-z_$][\w$-]*$/.test(key)) return '*'
  // Digits by themselves number a field (`line2`); many, or between letters again and again, are an id.
  if (/\d{4}/.test(key)) return '*'
  const turns = key.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
  return turns > 2 || (turns > 0 && key.length > 20) ? '*' : key
}
