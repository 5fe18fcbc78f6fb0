import { describe, expect, it } from 'vitest'
import { type Compression, decompress } from '../../src/worker/lib/decompress.ts'
import { compress } from '../compress.ts'

const LIMIT = 10_000
const text = (length: number) => new TextEncoder().encode('{"a":1}'.repeat(length).slice(0, length))

describe.each(['gzip', 'deflate'] as const)('a body compressed with %s', (format) => {
  it.each([0, 1, 4_095, 4_096, 4_097, LIMIT])('comes back byte for byte: %i bytes', async (n) => {
    const bytes = text(n)
    expect(await decompress(await compress(bytes, format), format, LIMIT)).toEqual({ bytes })
  })

  it('comes back in a buffer of its own size', async () => {
    const decompressed = await decompress(await compress(text(9), format), format, LIMIT)
    expect(decompressed).toMatchObject({ bytes: { buffer: { byteLength: 9 } } })
  })

  it('comes back when it hardly shrinks, and so takes many steps', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(LIMIT))
    expect(await decompress(await compress(bytes, format), format, LIMIT)).toEqual({ bytes })
  })

  it('is too large with one byte over the limit', async () => {
    const compressed = await compress(text(LIMIT + 1), format)
    expect(await decompress(compressed, format, LIMIT)).toBe('too-large')
  })

  it('is broken when it is cut short, goes on after its end, or is something else', async () => {
    const whole = await compress(text(500), format)
    const other: Compression = format === 'gzip' ? 'deflate' : 'gzip'
    for (const compressed of [
      whole.subarray(0, -1),
      whole.subarray(0, 12),
      new Uint8Array(),
      new Uint8Array([...whole, 0x7b]),
      text(500),
      await compress(text(500), other),
    ]) {
      expect(await decompress(compressed, format, LIMIT)).toBe('broken')
    }
  })
})

it('stops writing to the runtime soon after the limit, however much is still to come', async () => {
  const compressed = await compress(new Uint8Array(50_000_000), 'gzip')
  expect(compressed.length).toBeGreaterThan(40_000)
  let written = 0
  const real = WritableStreamDefaultWriter.prototype.write
  WritableStreamDefaultWriter.prototype.write = function (chunk: Uint8Array) {
    written += chunk.length
    return real.call(this, chunk)
  }
  try {
    expect(await decompress(compressed, 'gzip', 1_572_864)).toBe('too-large')
  } finally {
    WritableStreamDefaultWriter.prototype.write = real
  }
  expect(written).toBeLessThan(8_192)
})
