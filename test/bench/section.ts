/** What a scene has to say: a table with the text around it, and pictures. Pure. */
import type { Part } from './contenders.ts'

export type Section = {
  readonly scene: Part
  readonly title: string
  /** Before the table: what was done, and how to read it. */
  readonly text: readonly string[]
  readonly tables: readonly Table[]
  readonly charts: readonly Chart[]
  /** After the table: what is missing from it and why, and where it says less than it seems to. */
  readonly notes: readonly string[]
  /** What the relay must not do, and did. */
  readonly faults: readonly string[]
  /** What another part counts with, by name. */
  readonly figures: Readonly<Record<string, number>>
}

type Table = {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

type Chart = {
  readonly file: string
  readonly title: string
  readonly unit: string
  readonly bars: readonly Bar[]
}

type Bar = { readonly name: string; readonly value: number; readonly isOurs: boolean }

export function markdownOf(section: Section): string {
  const pictures = section.charts.map(({ file, title }) => `![${title}](benchmarks/${file})`)
  const notes =
    section.notes.length > 0 ? [section.notes.map((note) => `- ${note}`).join('\n')] : []
  return [...section.text, ...section.tables.map(tableOf), ...pictures, ...notes].join('\n\n')
}

function tableOf({ head, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${head.map((_, at) => cells[at] ?? '').join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; everything else stays as it is. Throws when they are missing. */
export function replaceBetween(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`the document has no ${begin} … ${end}`)
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`
}

const ROW = 26
const LABEL = 260
const BAR = 420
const TOP = 34

/** Horizontal bars, ours in another colour; readable on a light and on a dark page. */
export function svgOf({ title, unit, bars }: Chart): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const height = TOP + bars.length * ROW + 8
  const lines = bars.map(({ name, value, isOurs }, at) => {
    const y = TOP + at * ROW
    const width = Math.max(1, (value / most) * BAR).toFixed(1)
    const label = `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ${unit}`
    return [
      `<text x="${LABEL - 8}" y="${y + 16}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${LABEL}" y="${y + 4}" width="${width}" height="${ROW - 10}" class="${isOurs ? 'ours' : 'other'}"/>`,
      `<text x="${LABEL + Number(width) + 6}" y="${y + 16}">${escaped(label)}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABEL + BAR + 130} ${height}" role="img" aria-label="${escaped(title)}">
<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}.ours{fill:#1f6feb}.other{fill:#8c959f}
@media (prefers-color-scheme:dark){text{fill:#b1bac4}}</style>
<text x="8" y="20" class="title">${escaped(title)}</text>
${lines.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text
    .replaceAll('**', '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
