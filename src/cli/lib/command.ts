/**
 * Writes the command that a person is to run next, so that it works as printed: with the environment, configuration and
 * file of variables of the command that prints it.
 */
export type Selected = {
  /** A named environment of the configuration; `null`: the top level. */
  readonly env: string | null
  readonly config: string
  readonly envFile: string | null
}

export function commandLine(name: string, selected: Selected, ...more: readonly string[]): string {
  const { envFile } = selected
  const flags = [...whichFlags(selected), ...(envFile === null ? [] : ['--env-file', envFile])]
  return [`npm run ${name}`, ...words([...flags, ...more], ['--'])].join(' ')
}

/** Wrangler's own, which has an environment of its own for the top level. */
export function wranglerLine(name: string, selected: Selected): string {
  return [`npx wrangler ${name}`, ...words(whichFlags(selected))].join(' ')
}

/** Adds this command's own flags to the commands that a text of the relay names: the relay does not know the caller's files. */
export function withOwnCommands(text: string, selected: Selected, base: string): string {
  return text.replace(/`npm run ([\w-]+)(?: -- ([^`]+))?`/g, (_, name: string, flags = '') => {
    const url = / --url /.test(` ${flags}`) ? ['--url', base] : []
    const rest = flags.replaceAll(/(^| )--(env|url|env-file) \S+/g, '').trim()
    const secrets = / --env-file /.test(` ${flags}`) ? selected : { ...selected, envFile: null }
    return `\`${commandLine(name, secrets, ...url, ...(rest === '' ? [] : rest.split(' ')))}\``
  })
}

function whichFlags({ env, config }: Selected): string[] {
  return [
    ...(env === null ? [] : ['--env', env]),
    ...(config === 'wrangler.toml' ? [] : ['--config', config]),
  ]
}

/** Quoted for a shell where that is needed. `first`: before any. */
function words(flags: readonly string[], first: readonly string[] = []): string[] {
  const quoted = flags.map((flag) => (/^[\w@%+=:,./-]+$/.test(flag) ? flag : JSON.stringify(flag)))
  return flags.length === 0 ? [] : [...first, ...quoted]
}
