/** Every command that the commands, the alerts and the docs name exists, and takes the options that stand there. */
import { execFile, spawn } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'

import { wrap } from '../../src/cli/lib/style.ts'
import { forRelay } from '../../src/worker/alerts/words.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

type Printed = { readonly where: string; readonly name: string; readonly args: readonly string[] }

const SCRIPTS = Object.keys(
  JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')).scripts,
)
const COMMANDS = [
  'start',
  'provision',
  'deploy',
  'verify',
  'send',
  'tail',
  'erase',
  'recover',
  'compare',
  'local-adobe',
]

/** What stands for a value in a sentence, or in a template, is one. */
const VALUE = /[A-Z…“”$][^\s]*/

function argsOf(rest: string): string[] {
  const [line = ''] = rest.split(/ +[#(]| {2,}|\||[;>&]/)
  return line
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll(/^["'[]+|["'\].,:)]+$/g, ''))
    .filter((word) => word !== '' && word !== '--')
}

async function printed(): Promise<Printed[]> {
  const found: Printed[] = []
  for (const pattern of [
    'src/cli/**/*.ts',
    'src/worker/**/*.{ts,tsx}',
    'docs/*.md',
    'README.md',
    'wrangler.toml',
  ]) {
    for await (const file of glob(pattern, { cwd: ROOT })) {
      const text = await readFile(path.join(ROOT, file), 'utf8')
      // In backticks (escaped in templates) or at the beginning of a line of a block.
      const marked =
        /(?:\\?`|^\s*)npm (run (?<script>[a-z:-]+)|(?<start>start))(?<rest>[^`\n\\]*)/gm
      for (const { groups = {} } of text.matchAll(marked)) {
        const { script, start } = groups
        const rest = (groups.rest ?? '').replaceAll(/\$\{[^{}]*\}/g, ' ')
        const separator = rest.indexOf(' -- ')
        const args = separator < 0 ? [] : argsOf(rest.slice(separator + 4))
        found.push({ where: file, name: script ?? start ?? '', args })
      }
    }
  }
  return found
}

const ALL = await printed()

describe('a command that is named somewhere', () => {
  it('is a script of this project', () => {
    expect(ALL.length).toBeGreaterThan(60)
    expect(ALL.filter(({ name }) => !SCRIPTS.includes(name))).toEqual([])
  })

  it('takes the options that stand there', async () => {
    const unknown: string[] = []
    for (const { where, name, args } of ALL) {
      if (!COMMANDS.includes(name)) continue
      const options = args.filter((arg) => arg.startsWith('--') && !VALUE.test(arg.slice(2, 3)))
      for (const option of options.map((each) => each.replace(/=.*$/, ''))) {
        if (!(await takes(name, option))) unknown.push(`${where}: npm run ${name} -- ${option}`)
      }
    }
    expect(unknown).toEqual([])
  })

  it('explains itself within 80 columns', async () => {
    for (const command of [...COMMANDS, 'repository']) {
      await takes(command, '--help')
      const lines = known.get(command)?.split('\n') ?? []
      expect([command, lines.filter((line) => line.length > 80)]).toEqual([command, []])
      expect(lines.length).toBeGreaterThan(5)
    }
  })

  it('would be noticed when it is not: this one takes no such option', async () => {
    expect(await takes('deploy', '--no-such-option')).toBe(false)
    expect(await takes('deploy', '--show-urls')).toBe(true)
  })
})

/** What `.adobe.env` has. */
const VARIABLES = {
  WEBHOOK_KEYS: 'a-key-of-this-test-0001',
  ADMIN_TOKEN: 'an-admin-token-of-this-test',
  AEP_CLIENT_ID: 'client',
  AEP_CLIENT_SECRET: 'secret',
  AEP_ORG_ID: '0123456789@AdobeOrg',
}

/** What its own parser has against a line as a shell with these variables would read it; `null`: nothing. */
async function objection(line: string, shell: Record<string, string>): Promise<string | null> {
  const [, name = '', rest = ''] = /^npm run ([\w-]+)(?: -- (.*))?$/.exec(line.trim()) ?? []
  const { readOptions } = await import(`../../src/cli/${name}/options.ts`)
  const words = rest.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  const args = words
    .filter((word, index) => word !== '--env-file' && words[index - 1] !== '--env-file')
    .map((word) => word.replaceAll(/^["']|["']$/g, ''))
  const options = readOptions(args, line.includes('--env-file') ? VARIABLES : shell)
  return 'wrong' in options ? `${line}: ${options.wrong}` : null
}

describe('a command in an alert or on the page', () => {
  const RELAY = { environment: 'staging', publicUrl: 'https://relay.example.com' }

  it('is taken as it is printed, with the environment and the address of the relay', async () => {
    const wrong: string[] = []
    const found: string[] = []
    for await (const file of glob('src/worker/**/*.{ts,tsx}', { cwd: ROOT })) {
      const text = (await readFile(path.join(ROOT, file), 'utf8')).replaceAll('\\`', '`')
      for (const [command] of text.matchAll(/`npm run [\w-]+(?: -- [^`\n]+)?`/g)) {
        const line = forRelay(command, RELAY).replaceAll('`', '')
        const name = line.split(' ')[2] ?? ''
        if (!COMMANDS.includes(name)) continue
        // The page adds who.
        const who = name === 'erase' ? ' --email ada@example.com' : ''
        const objects = await objection(`${line}${who}`, {})
        found.push(name)
        if (objects !== null || !line.includes('--env staging')) wrong.push(objects ?? line)
      }
    }
    expect(wrong).toEqual([])
    expect(new Set(found)).toEqual(
      new Set(['compare', 'deploy', 'erase', 'provision', 'recover', 'tail', 'verify']),
    )
  })

  it('has the variable of the documentation where the address is not known', () => {
    expect(forRelay('`npm run recover`', { environment: null, publicUrl: null })).toBe(
      '`npm run recover -- --url $WORKER --env-file .adobe.env`',
    )
  })
})

describe('a command in the documentation', () => {
  it('is taken as it stands there, once the address and the file are those of the set-up', async () => {
    const wrong: string[] = []
    let found = 0
    for await (const file of glob(['docs/*.md', 'README.md'], { cwd: ROOT })) {
      const text = await readFile(path.join(ROOT, file), 'utf8')
      const marked = /(?:`|^\s*|&& )(npm run (?:[a-z-]+)(?: -- [^`\n|#]*)?)/gm
      for (const [, marks = ''] of text.matchAll(marked)) {
        const [command = ''] = marks.split(/ +&& | {2,}/)
        const name = command.split(' ')[2] ?? ''
        // With its options left out, it is named and not shown.
        if (!COMMANDS.includes(name) || !/ -- --/.test(command) || / … /.test(command)) continue
        const line = command.replaceAll('$WORKER', 'https://relay.example.com')
        const whole = line.replaceAll('…', 'x').replace(/\bNAME$/, 'shop')
        const objects = await objection(whole, VARIABLES)
        found += 1
        if (objects !== null) wrong.push(`${file}: ${objects}`)
      }
    }
    expect(wrong).toEqual([])
    expect(found).toBeGreaterThan(40)
  })
})

const known = new Map<string, string>()

/** By its own `--help`, which names every option. */
async function takes(command: string, option: string): Promise<boolean> {
  if (!known.has(command)) {
    const { main } = await import(`../../src/cli/${command}/main.ts`)
    const lines: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation((text: string) => lines.push(text))
    expect(await main(['--help'])).toBe(0)
    log.mockRestore()
    known.set(command, lines.join('\n'))
  }
  return new RegExp(`(^|[\\s[|])${option}(?![a-z-])`, 'm').test(known.get(command) ?? '')
}

describe('an npm process that is ended', () => {
  it('takes its program along', async () => {
    const npm = spawn('npm', ['run', 'local-adobe', '--', '--port', '0'], { cwd: ROOT })
    let output = ''
    npm.stdout.on('data', (text) => {
      output += text
    })
    const url = await vi.waitFor(
      () => {
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
        if (!found) throw new Error(output)
        return found
      },
      { timeout: 60_000, interval: 100 },
    )
    expect((await fetch(`${url}/_/`)).status).toBeLessThan(500)
    npm.kill('SIGTERM')
    await vi.waitFor(() => expect(fetch(`${url}/_/`)).rejects.toThrow(), {
      timeout: 40_000,
      interval: 200,
    })
  })
})

describe('--env-file before Node reads it', () => {
  it('is the command’s own: a file that is not there is 2, with its name', async () => {
    const run = path.join(ROOT, 'src/cli/run.mjs')
    const args = ['--', run, 'provision', '--env-file', '/not/there']
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(process.execPath, args, { cwd: ROOT }, (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : 0
        resolve({ code, output: stdout + stderr })
      })
    })
    expect([code, output]).toEqual([
      2,
      expect.stringContaining('/not/there (--env-file) is not there'),
    ])
  })
})

describe('a command in a sentence', () => {
  it('is never broken over two lines, so that it can be copied', () => {
    const command =
      '`npm run verify -- --url https://relay.example.com/a/long/address --env staging`'
    const text = wrap(
      `Whether AEP takes the events and keeps them: ${command}, tries it, some words.`,
      '- ',
      '  ',
    )
    expect(text).toContain(command)
    const others = text.split('\n').filter((line) => !line.includes('`'))
    expect(others.every((line) => line.length <= 80)).toBe(true)
    expect(text.replaceAll(/\s+/g, ' ')).toContain('them: `npm')
  })
})
