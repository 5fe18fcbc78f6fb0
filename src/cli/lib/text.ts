/**
 * Text: bytes from a file, a pipe or a server, as the text they mean; and how far a word is from one that may be meant.
 *
 * Promises: a byte order mark is skipped; UTF-16, which PowerShell and Windows editors write, is read as what it is, with
 * a mark or without; nothing without an end is read to it: an answer has a limit, and so has a line.
 */

/** Far above any answer of Adobe's or of the relay's. */
const MAX_ANSWER_BYTES = 16_777_216
/** Cloudflare cuts an invocation's logs at 256 KB. */
const MAX_LINE_CHARACTERS = 4_194_304

/** `undefined`: UTF-8. Ordinary text has no NUL; in UTF-16 every other byte of ASCII is one. */
function utf16Of(start: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const [first, second] = start
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (first !== 0 && second === 0) return 'utf-16le'
  return first === 0 && second !== 0 && second !== undefined ? 'utf-16be' : undefined
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(utf16Of(bytes)).decode(bytes)
}

/** The lines of a stream, as they come. A line that is too long is given in pieces. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let decoder: InstanceType<typeof TextDecoder> | null = null
  let start = new Uint8Array()
  let rest = ''
  for await (const chunk of chunks) {
    let bytes = chunk
    if (decoder === null) {
      bytes = start = Buffer.concat([start, chunk])
      if (start.length < 2) continue
      decoder = new TextDecoder(utf16Of(start))
    }
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield line.replace(/\r$/, '')
    if (rest.length > MAX_LINE_CHARACTERS) {
      yield rest
      rest = ''
    }
  }
  rest += decoder ? decoder.decode() : decodeText(start)
  if (rest !== '') yield rest.replace(/\r$/, '')
}

export class AnswerTooLarge extends Error {
  override name = 'the answer does not end'
}

/** Rejects when there is more than `max` bytes; what is left is not read. */
export async function answerText(response: Response, max = MAX_ANSWER_BYTES): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > max) throw new AnswerTooLarge(`more than ${max} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What was thrown, in its own words. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Letters to change, add, leave out or swap with their neighbour (Damerau and Levenshtein). */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  const cell = (i: number, j: number) => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          cell(i - 1, j) + 1,
          (row[j - 1] ?? 0) + 1,
          cell(i - 1, j - 1) + (same ? 0 : 1),
          swapped ? cell(i - 2, j - 2) + 1 : Infinity,
        ),
      )
    }
  }
  return cell(a.length, b.length)
}
