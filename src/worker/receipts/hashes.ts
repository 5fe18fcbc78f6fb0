/** The hashes of an event as one column of its row. Pure. */

/** The hashes of an event, separated by blanks: a column of its row. Empty: nothing to look it up by but its id. */
export type Hashes = string

export function packed(hashes: readonly string[]): Hashes {
  return hashes.join(' ')
}

export function unpacked(hashes: Hashes | null): string[] {
  return hashes ? hashes.split(' ') : []
}
