/**
 * Installs what the relay is compared with, on demand, into folders that git ignores: npm packages by a lock file of their
 * own, Debian packages unpacked beside them. Nothing on the system changes, and nothing runs as root.
 *
 * Promises: an opponent that cannot be had here is named, with the reason; it is never replaced by something else.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const OPPONENTS = fileURLToPath(new URL('opponents', import.meta.url))
/** Where Debian's packages are unpacked. */
export const DEBIAN = path.join(OPPONENTS, '.debian')
const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
export const DEBIAN_LIBRARIES = path.join(DEBIAN, 'usr/lib', `${ARCHITECTURE}-linux-gnu`)

/** Of Debian 12: packages and the upstream versions that the configurations were written for. */
const PACKAGES = { nginx: '1.22.*', 'redis-server': '5:7.0.*' }

/** `null`: it is there; else why not, in a sentence. */
export type Installed = { readonly npm: string | null; readonly debian: string | null }

export function install(needs: { readonly npm: boolean; readonly debian: boolean }): Installed {
  return {
    npm: needs.npm ? attempt(installNpm) : null,
    debian: needs.debian ? attempt(installDebian) : null,
  }
}

function attempt(work: () => void): string | null {
  try {
    work()
    return null
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

function installNpm(): void {
  const lock = readFileSync(path.join(OPPONENTS, 'package-lock.json'), 'utf8')
  const done = path.join(OPPONENTS, 'node_modules/.installed')
  if (existsSync(done) && readFileSync(done, 'utf8') === lock) return
  console.error('Installing the opponents from npm (some 360 MB, a minute) …')
  // None of them needs its install script: binaries are in the packages, native add-ons have a fallback.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], OPPONENTS)
  writeFileSync(done, lock)
}

function installDebian(): void {
  const wanted = Object.entries(PACKAGES).map(([name, version]) => `${name}=${version}`)
  const done = path.join(DEBIAN, '.installed')
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted.join('\n')) return
  console.error(`Installing from Debian: ${wanted.join(', ')} …`)
  rmSync(DEBIAN, { recursive: true, force: true })
  const archives = path.join(DEBIAN, 'archives')
  mkdirSync(path.join(archives, 'partial'), { recursive: true })
  // Downloads them with what they need and the system lacks, and installs nothing.
  const options = [
    '--no-install-recommends',
    '-o',
    'Debug::NoLocking=1',
    '-o',
    'APT::Sandbox::User=',
  ]
  const folder = ['-o', `Dir::Cache::archives=${archives}`]
  const install = ['install', '--yes', '--download-only', ...options, ...folder, ...wanted]
  run('apt-get', install, DEBIAN, 'Debian 12 has them, after `apt-get update`')
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', path.join(archives, file), DEBIAN], DEBIAN)
  }
  rmSync(archives, { recursive: true })
  writeFileSync(done, wanted.join('\n'))
}

/** `hint`: where it would work. */
function run(command: string, args: readonly string[], cwd: string, hint = ''): void {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error) throw new Error(`\`${command}\` cannot be run here (${error.message})`)
  if (status !== 0) {
    // npm ends with the path of its log.
    const lines = stderr.trim().split('\n')
    const why = lines.find((line) => /^(?:npm error|E:)/.test(line)) ?? lines.at(-1)
    throw new Error(`\`${command} ${args[0]}\` failed: ${why}${hint && `; ${hint}`}`)
  }
}
