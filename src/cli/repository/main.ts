/**
 * `npm run repository -- URL`: says where this project is published, in package.json, and puts the Deploy to Cloudflare
 * button into README.md. Until then README.md has no button, since it would lead nowhere.
 * Cloudflare's button takes public repositories of github.com and gitlab.com.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { misuse } from '../lib/run.ts'
import { ROOT } from '../lib/wrangler.ts'

const USAGE = `Usage: npm run repository -- URL
Sets the address of the repository in package.json, and puts the Deploy to
Cloudflare button into README.md. Run it again after a move.

  URL   https://github.com/OWNER/NAME or https://gitlab.com/OWNER/NAME, public

Exit code: 0 done, 2 usage, or README.md has no place for the button.`

const ADDRESS = /^https:\/\/(github|gitlab)\.com\/[\w.-]+\/[\w.-]+?(\.git)?\/?$/
const PLACE = /(<!-- button -->(\r?\n))[\s\S]*?(<!-- \/button -->)/

/** Resolves with the exit code. `folder`: where the two files are. */
export async function main(args: readonly string[], folder = ROOT): Promise<number> {
  const [url = '', ...more] = args.filter((arg) => arg !== '--')
  if (url === '--help') {
    console.log(USAGE)
    return 0
  }
  if (!ADDRESS.test(url) || more.length > 0) {
    console.error(misuse('URL is the address of a public repository.', USAGE))
    return 2
  }
  const address = url.replace(/(\.git)?\/?$/, '')
  const readme = path.join(folder, 'README.md')
  const text = readFileSync(readme, 'utf8')
  if (!PLACE.test(text)) {
    console.error('README.md has no <!-- button --> any more. Nothing was changed.')
    return 2
  }
  const manifest = path.join(folder, 'package.json')
  const settings = JSON.parse(readFileSync(manifest, 'utf8'))
  settings.repository = { type: 'git', url: `git+${address}.git` }
  writeFileSync(manifest, `${JSON.stringify(settings, null, 2)}\n`)
  writeFileSync(readme, text.replace(PLACE, `$1${button(address)}$2$3`))
  console.log('Wrote package.json and README.md: look at them, and commit.')
  return 0
}

function button(address: string): string {
  const to = `https://deploy.workers.cloudflare.com/?url=${address}`
  return `[![Deploy to Cloudflare](https://deploy.workers.cloudflare.com/button)](${to})`
}
