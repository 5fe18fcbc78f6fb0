/** Text: what the commands printed, made fit to be published: neutral, as a page, and short for README.md. Pure. */

export type Recorded = {
  /** As typed. */
  readonly line: string
  readonly output: string
  readonly seconds: number
}

export const BEGIN = '<!-- recording: npm run recording -->'
export const END = '<!-- /recording -->'

/** Each text that stands for this machine, or is secret, replaced. */
export function neutral(
  recorded: readonly Recorded[],
  replacements: Readonly<Record<string, string>>,
): readonly Recorded[] {
  const replaced = (text: string) =>
    Object.entries(replacements).reduce((all, [from, to]) => all.replaceAll(from, to), text)
  return recorded.map(({ line, output, seconds }) => ({
    line: replaced(line),
    output: replaced(output).trim(),
    seconds,
  }))
}

const WHERE = `Recorded by \`npm run recording\` in a clean clone, against the local Adobe and a local Cloudflare API on 127.0.0.1,
with keys shortened. The local Cloudflare API takes the deploy and cannot run it: \`verify\` meets the same Worker under
\`wrangler dev\`, with the variables and secrets that the deploy has brought.`

/** docs/recording.md. */
export function page(recorded: readonly Recorded[]): string {
  const parts = recorded.map(
    ({ line, output, seconds }) => `$ ${line}\n${output}\n# ${seconds.toFixed(1)} s`,
  )
  return `# From an empty sandbox to the first event\n\n${WHERE}\n\n\`\`\`text\n${parts.join('\n\n')}\n\`\`\`\n`
}

/** Lines that say what came of it; what stands between two of them is left out. */
const TOLD =
  /^(made|changed) .*(Dataset|Dataflow) "|^Wrote |^Deployed\.|\/chatlio\/transcript\?|^[✔✘–] |is well\.$/

const SHORT_WHERE = `Recorded by \`npm run recording\`, against the local Adobe and a local Cloudflare API, shortened
([all of it](docs/recording.md)). That API takes a deploy and cannot run it, so \`verify\` met the Worker under \`wrangler dev\`.`

/** For README.md, between its markers. */
export function excerpt(recorded: readonly Recorded[]): string {
  const parts = recorded.map(({ line, output, seconds }) => {
    const told = output.split('\n').filter((each) => TOLD.test(each))
    return [`$ ${line}    # ${seconds.toFixed(1)} s`, ...told].join('\n')
  })
  return `${SHORT_WHERE}\n\n\`\`\`text\n${parts.join('\n')}\n\`\`\``
}

/** Throws when the page has no markers. */
export function between(text: string, content: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}.`)
  return `${text.slice(0, begin + BEGIN.length)}\n${content}\n${text.slice(end)}`
}
