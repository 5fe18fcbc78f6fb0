/** Text: what the commands printed, made fit to be published: neutral, and as a page. Pure. */

export type Recorded = {
  /** As typed. */
  readonly line: string
  readonly output: string
  readonly seconds: number
}

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
