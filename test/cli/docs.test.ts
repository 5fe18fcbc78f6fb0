import { access, copyFile, glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { main as setRepository } from '../../src/cli/repository/main.ts'
import { ALERT_NAMES } from '../../src/worker/alerts/alerts.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const read = (file: string) => readFile(path.join(ROOT, file), 'utf8')

async function sourceFiles(): Promise<string[]> {
  return Array.fromAsync(glob('src/**/*.ts', { cwd: ROOT }))
}

/** Keys of sources in the comments of a file: capitals alone in brackets, or after the last comma there. */
function keysIn(text: string): string[] {
  const comments = text.match(/\/\*\*[\s\S]*?\*\/|\/\/.*$/gm) ?? []
  return comments.flatMap((comment) =>
    [...comment.replaceAll(/\n\s*\*?/g, ' ').matchAll(/\(([^()]*)\)/g)]
      .flatMap(([, inside = '']) => inside.split(/[,:;]\s*/))
      .map((word) => word.trim())
      .filter((word) => /^[A-Z]{2,7}$/.test(word)),
  )
}

describe('docs/sources.md', () => {
  it('resolves every key that a comment in src uses', async () => {
    const sources = await read('docs/sources.md')
    const unknown = new Set<string>()
    let found = 0
    for (const file of await sourceFiles()) {
      for (const key of keysIn(await read(file))) {
        found += 1
        if (!sources.includes(`| ${key} |`)) unknown.add(`${key} in ${file}`)
      }
    }
    expect([...unknown]).toEqual([])
    expect(found).toBeGreaterThan(10)
  })
})

/** A heading as GitHub makes an anchor of it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')

async function anchorsOf(file: string): Promise<string[]> {
  const headings = [...(await read(file)).matchAll(/^#+ (.*)$/gm)]
  return headings.map(([, heading = '']) =>
    anchorOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')),
  )
}

const PAGES = await Array.fromAsync(glob(['*.md', 'docs/**/*.md'], { cwd: ROOT }))

describe.each(PAGES)('%s', (page) => {
  it('links to files and headings that exist', async () => {
    const links = [...(await read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
    const broken: string[] = []
    for (const to of links.filter((link) => !/^https?:/.test(link))) {
      const [file = '', anchor] = to.split('#')
      const target = file === '' ? page : path.join(path.dirname(page), file)
      const exists = await access(path.join(ROOT, target)).then(
        () => true,
        () => false,
      )
      if (!exists) broken.push(to)
      else if (anchor && !(await anchorsOf(target)).includes(anchor)) broken.push(to)
    }
    expect(broken).toEqual([])
  })
})

describe('the commands in the documentation', () => {
  it('are scripts of package.json, with options that they take', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as {
      scripts: Record<string, string>
    }
    const wrong: string[] = []
    let found = 0
    for (const page of PAGES.filter((name) => name !== 'CHANGELOG.md')) {
      for (const [line, run, start, rest = ''] of (await read(page)).matchAll(
        /npm (?:run (?:-s )?([\w:-]+)|(start|test)\b)(?: -- ([^\n`#|)]*))?/g,
      )) {
        found += 1
        const name = run ?? start ?? ''
        const script = scripts[name] ?? ''
        if (script === '') wrong.push(`${page}: ${line}`)
        const folder = /src\/cli\/run\.mjs ([\w-]+)/.exec(script)?.[1]
        if (folder === undefined || folder === 'openapi' || folder === 'repository') continue
        const own = await read(`src/cli/${folder}/options.ts`)
        const shared = /'\.\.\/(\w+\/options\.ts)'/.exec(own)?.[1]
        const usage = own + (shared ? await read(`src/cli/${shared}`) : '')
        const options = [...rest.matchAll(/(?<=^|\s)--[a-z][\w-]*/g)].map(([option]) => option)
        wrong.push(
          ...options
            .filter((each) => !usage.includes(each))
            .map((each) => `${page}: ${name} ${each}`),
        )
      }
    }
    expect(found).toBeGreaterThan(60)
    expect(wrong).toEqual([])
  })
})

/** `rim.ts` or `lib/rim.ts` name a file by the end of its path, `src/cli` a folder from the top; `*` stands for some. */
describe.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('%s', (page) => {
  it('names only files and folders that exist', async () => {
    const named = [...(await read(page)).matchAll(/`([\w.*/-]+)`/g)].map(([, name = '']) => name)
    const files = named.filter((name) => /\.(ts|tsx|mjs|js|json|toml|vars|md)$/.test(name))
    const folders = named.filter((name) => /^(src|test|docs)\/[\w/-]+$/.test(name))
    const exclude = ['node_modules', '.git', '.wrangler']
    const paths = (await Array.fromAsync(glob('**', { cwd: ROOT, exclude }))).map((at) => `/${at}`)
    const missing = [...files, ...folders].filter((name) => {
      const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[^/]*')
      const end = new RegExp(`${files.includes(name) ? '/' : '^/'}${pattern}$`)
      return !paths.some((at) => end.test(at))
    })
    expect(named.length).toBeGreaterThan(10)
    expect(missing).toEqual([])
  })
})

describe('docs/operations.md', () => {
  it('says what to do about every reason of /health', async () => {
    const list = /HEALTH_REASONS = \[([\s\S]*?)\]/.exec(await read('src/worker/http/health.ts'))
    const reasons = [...(list?.[1] ?? '').matchAll(/'([a-z]+)'/g)].map(([, reason = '']) => reason)
    expect(reasons).toContain('upstream')
    const runbook = await read('docs/operations.md')
    const missing = reasons.filter((reason) => !runbook.includes(`says \`${reason}\``))
    expect(missing).toEqual([])
  })
})

describe('docs/operations.md', () => {
  it('has a row for every alert', async () => {
    const runbook = await read('docs/operations.md')
    expect(ALERT_NAMES.filter((name) => !runbook.includes(`\n| \`${name}\` |`))).toEqual([])
  })
})

describe('docs/setup.md', () => {
  it('says how many events a day the Free plan stores, from the rows that one costs', async () => {
    const rowsOf = (event: string) =>
      Number(new RegExp(`^\\| ${event} \\| (\\d+) `, 'm').exec(costs)?.[1])
    const costs = await read('docs/operations.md')
    const cheap = rowsOf('stored, then delivered')
    const dear = rowsOf('failed inside its request, then delivered')
    const inHundreds = (rows: number) => (Math.floor(1_000 / rows) * 100).toLocaleString('en')
    const text = await read('docs/setup.md')
    expect(text).toContain(`[${cheap} to ${dear}](operations.md#what-it-costs)`)
    expect(text).toContain(`${inHundreds(dear)} to ${inHundreds(cheap)} events a day can be stored`)
  })
})

describe('README.md', () => {
  it('is 120 lines at most', async () => {
    expect((await read('README.md')).trimEnd().split('\n').length).toBeLessThanOrEqual(120)
  })

  it('has a Deploy button exactly where a repository is set, and never one that cannot work', async () => {
    const { repository } = JSON.parse(await read('package.json'))
    const buttons = (text: string) =>
      [...text.matchAll(/deploy\.workers\.cloudflare\.com\/\?url=([^)]+)\)/g)].map(([, url]) => url)
    const there = repository?.url.replace(/^git\+|\.git$/g, '')
    expect(buttons(await read('README.md'))).toEqual(there ? [there] : [])
    expect(await read('README.md')).not.toMatch(/OWNER/)

    const folder = await mkdtemp(path.join(tmpdir(), 'repository-'))
    for (const file of ['package.json', 'README.md']) {
      await copyFile(path.join(ROOT, file), path.join(folder, file))
    }
    vi.spyOn(console, 'log').mockReturnValue()
    vi.spyOn(console, 'error').mockReturnValue()
    expect(await setRepository(['https://relay.example.com/x'], folder)).toBe(2)
    for (const address of ['https://github.com/ada/relay', 'https://gitlab.com/ada/moved']) {
      expect(await setRepository([`${address}.git`], folder)).toBe(0)
      const written = await readFile(path.join(folder, 'README.md'), 'utf8')
      expect(buttons(written)).toEqual([address])
      expect(written.trimEnd().split('\n').length).toBeLessThanOrEqual(120)
      const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
      expect(manifest.repository.url).toBe(`git+${address}.git`)
      // As git gives it out on Windows.
      await writeFile(path.join(folder, 'README.md'), written.replaceAll('\n', '\r\n'))
    }
    const manifest = await readFile(path.join(folder, 'package.json'), 'utf8')
    await writeFile(path.join(folder, 'README.md'), '# Ours\n')
    expect(await setRepository(['https://github.com/ada/again'], folder)).toBe(2)
    expect(await readFile(path.join(folder, 'package.json'), 'utf8')).toBe(manifest)
    await rm(folder, { recursive: true })
  })
})

/** `[words](../test/file.ts) "a title"`: a test whose title has these words. */
describe('docs/promises.md', () => {
  it('names only tests that exist', async () => {
    const text = await read('docs/promises.md')
    const named = [...text.matchAll(/\]\(\.\.\/(test\/[^)]+)\)(?: "([^"]+)")?/g)]
    const missing: string[] = []
    for (const [, file = '', title] of named) {
      const titles = [...(await read(file)).matchAll(/(['"`])((?:\\.|(?!\1).)*)\1/g)]
      const exists = title === undefined || titles.some(([, , each = '']) => each.includes(title))
      if (!exists) missing.push(`${file}: ${title}`)
    }
    expect(named.length).toBeGreaterThan(30)
    expect(missing).toEqual([])
  })

  it('has a test for each promise', async () => {
    const rows = (await read('docs/promises.md'))
      .split('\n')
      .filter((line) => /^\| \S.* \|$/.test(line))
    const promises = rows.filter((row) => !/^\| (---|Promise) /.test(row))
    expect(promises.length).toBeGreaterThan(10)
    expect(promises.filter((row) => !row.includes('](../test/'))).toEqual([])
  })
})

describe.each(['SECURITY.md', 'ARCHITECTURE.md'])('%s', (page) => {
  it('names every table of the outbox', async () => {
    const files = (await sourceFiles()).filter((file) => file.startsWith('src/worker/outbox/'))
    const source = (await Promise.all(files.map(read))).join('\n')
    const made = /CREATE TABLE (?:IF NOT EXISTS )?(\w+)|createTable\('(\w+)'/g
    const tables = [...source.matchAll(made)].map(([, one, other]) => one ?? other)
    const text = await read(page)
    expect(tables.length).toBeGreaterThan(10)
    expect(tables.filter((table) => !text.includes(`\`${table}\``))).toEqual([])
  })
})

describe('CONTRIBUTING.md', () => {
  it('has a line for each dependency', async () => {
    const { dependencies, devDependencies } = JSON.parse(await read('package.json'))
    const text = await read('CONTRIBUTING.md')
    const names = Object.keys({ ...dependencies, ...devDependencies })
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})
