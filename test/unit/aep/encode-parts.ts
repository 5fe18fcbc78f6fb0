import { encode } from '../../../src/worker/aep/record/encode.ts'

/** The records of an event, split or not. */
export function encodeParts(...args: Parameters<typeof encode>): string[] {
  const encoded = encode(...args)
  return encoded.split ? encoded.parts : [encoded.record]
}
