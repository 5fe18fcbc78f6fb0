/** The browser of these tests: one look for it before all of them, instead of one fault in each. */
import { accessSync, constants } from 'node:fs'

/** Debian's; `CHROMIUM` names another one. */
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium-headless-shell'

export function setup(): void {
  try {
    accessSync(CHROMIUM, constants.X_OK)
  } catch {
    throw new Error(
      `There is no browser at ${CHROMIUM}.\n` +
        'Install it: sudo apt-get update && sudo apt-get install chromium-headless-shell\n' +
        'or name another Chromium: CHROMIUM=/path/to/chromium npm run test:browser',
    )
  }
}
