import { describe, expect, it } from 'vitest'
import { readUpTo } from '../../src/worker/lib/bounded.ts'

type Sent = { stream: ReadableStream<Uint8Array>; pulls: () => number; cancelled: () => boolean }

/** A stream that produces one chunk per read and buffers none. */
function sending(...sizes: number[]): Sent {
  let pulls = 0
  let cancelled = false
  let offset = 0
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const size = sizes[pulls]
        if (size === undefined) return controller.close()
        pulls += 1
        controller.enqueue(Uint8Array.from({ length: size }, (_, index) => (offset + index) % 251))
        offset += size
      },
      cancel() {
        cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, pulls: () => pulls, cancelled: () => cancelled }
}

const counting = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251)

describe('reading up to a limit', () => {
  it.each([
    ['no bytes', [], 0],
    ['one chunk', [10], 10],
    ['several chunks', [3, 4, 3], 10],
    ['empty chunks between them', [0, 5, 0, 0, 5, 0], 10],
    ['a chunk for each byte', Array<number>(10).fill(1), 10],
    ['fewer than the limit', [4, 5], 9],
  ])('returns all bytes in order if they are within the limit: %s', async (_, sizes, length) => {
    const { stream, cancelled } = sending(...sizes)
    expect(await readUpTo(new Response(stream), 10)).toEqual({
      bytes: counting(length),
      complete: true,
    })
    expect(cancelled()).toBe(false)
  })

  it.each([
    ['in one chunk', [11]],
    ['with the last byte', [5, 5, 1]],
    ['by far', [1_000_000]],
  ])('reports an incomplete body above the limit, %s', async (_, sizes) => {
    const { stream } = sending(...sizes)
    const length = sizes.reduce((sum, size) => sum + size, 0)
    expect(await readUpTo(new Response(stream), 10)).toEqual({
      bytes: counting(length),
      complete: false,
    })
  })

  it('stops reading at the first chunk above the limit', async () => {
    const { stream, pulls } = sending(6, 6, 6, 6)
    expect(await readUpTo(new Response(stream), 10)).toEqual({
      bytes: counting(12),
      complete: false,
    })
    expect(pulls()).toBe(2)
  })

  it('never cancels an incomplete body, so that the sender sees its answer', async () => {
    const { stream, cancelled } = sending(6, 6, 6)
    await readUpTo(new Response(stream), 10)
    expect(cancelled()).toBe(false)
    expect(stream.locked).toBe(false)
    const rest = await stream.getReader().read()
    expect(rest.value).toHaveLength(6)
  })

  it('releases the stream at its end', async () => {
    const { stream } = sending(6)
    await readUpTo(new Response(stream), 10)
    expect(stream.locked).toBe(false)
  })

  it('treats a missing body as empty', async () => {
    expect(await readUpTo(new Response(null), 10)).toEqual({
      bytes: new Uint8Array(),
      complete: true,
    })
    expect(await readUpTo(new Response(null), 0)).toEqual({
      bytes: new Uint8Array(),
      complete: true,
    })
  })

  it('rejects with the error of the stream, and releases it', async () => {
    const broken = new Error('connection reset')
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(counting(5)),
      pull: (controller) => controller.error(broken),
    })
    await expect(readUpTo(new Response(stream), 10)).rejects.toBe(broken)
    expect(stream.locked).toBe(false)
  })

  it('reads the body of a request', async () => {
    const request = (length: string) =>
      new Request('https://relay.example/', {
        method: 'POST',
        headers: { 'content-length': length },
        body: sending(6, 6).stream,
      })
    expect((await readUpTo(request('1'), 11)).complete).toBe(false)
    expect((await readUpTo(request('99'), 12)).bytes).toEqual(counting(12))
  })

  it.each([
    ['too small', '3', 11, 4],
    ['above the limit', '99', 11, 4],
    ['not a number', 'many', 11, 4],
    ['correct', '11', 11, 4],
  ])('is not misled by a Content-Length that is %s', async (_, declared, length, limit) => {
    const { stream } = sending(length)
    const response = new Response(stream, { headers: { 'content-length': declared } })
    expect((await readUpTo(response, limit)).complete).toBe(false)
  })

  it('returns the exact bytes of a body with a Content-Length', async () => {
    const bytes = counting(10)
    const response = new Response(bytes, { headers: { 'content-length': '10' } })
    expect(await readUpTo(response, 10)).toEqual({ bytes, complete: true })
  })
})
