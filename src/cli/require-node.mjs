/**
 * Refuses to go on with a Node that is too old, and says what is needed. Plain JavaScript, so that a
 * Node of any age can read it: imported for its effect, before anything that needs a newer one.
 */
const NEEDED = '22.12'

const [neededMajor, neededMinor] = NEEDED.split('.').map(Number)
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  console.error(
    [
      `This needs Node ${NEEDED} or newer, and runs on ${process.versions.node}.`,
      'npm scripts run on the Node that `npm ci` installs: for Linux and macOS (x64, arm64) and Windows (x64).',
      `On one of these run \`npm ci\` again, with optional dependencies; elsewhere install Node ${NEEDED} or newer.`,
    ].join('\n'),
  )
  process.exit(1)
}
