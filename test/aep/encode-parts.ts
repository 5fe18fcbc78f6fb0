import { encode } from '../../src/aep/split.ts'

/** The records of an event, split or not. */
export function encodeParts(...args: Parameters<typeof encode>): string[] {
  const encoded = encode(...args)
  return encoded.split ? encoded.parts : [encoded.record]
}
