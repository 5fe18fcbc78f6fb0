/**
 * A number for the shape of a JSON value: its keys and the types below them, without the values.
 * What has been hashed before needs no further look, so this is all that a known shape costs. Two shapes can have the
 * same number by chance (once in billions); the second is then not looked at until the isolate is a new one.
 * Looks a limited number of levels deep, so that no JSON runs it out of stack.
 */
import { isLongNumber } from '../lib/json.ts'

const SEED = 0x811c9dc5
const PRIME = 0x01000193

/** Documented fields end at the third level. */
const MAX_DEPTH = 16

/** `seed`: what else tells two shapes apart. */
export function shapeHash(value: unknown, seed = 0): number {
  return mix(hashAt(value, 0), seed)
}

function hashAt(value: unknown, depth: number): number {
  if (depth > MAX_DEPTH) return SEED
  if (Array.isArray(value)) {
    // Items of one shape count once, in any order: a long transcript has the shape of a short one.
    const shapes = new Set<number>()
    for (const item of value) shapes.add(hashAt(item, depth + 1))
    let sum = 0
    for (const shape of shapes) sum = (sum + shape) | 0
    return mix(mix(SEED, 5), sum)
  }
  if (value === null) return mix(SEED, 1)
  switch (typeof value) {
    case 'string':
      return mix(SEED, 2)
    case 'number':
      return mix(SEED, 3)
    case 'boolean':
      return mix(SEED, 4)
  }
  if (isLongNumber(value)) return mix(SEED, 3)
  let hash = mix(SEED, 6)
  for (const key in value as object) {
    for (let at = 0; at < key.length; at += 1) hash = mix(hash, key.charCodeAt(at))
    hash = mix(hash, hashAt((value as Record<string, unknown>)[key], depth + 1))
  }
  return hash
}

function mix(hash: number, more: number): number {
  return Math.imul(hash ^ more, PRIME)
}
