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
      'npm scripts normally run on the Node of the devDependency "node", which `npm ci` fetches in an',
      'install script. It is not there: allow install scripts (ignore-scripts is off by default) and',
      `run \`npm ci\` again, or install Node ${NEEDED} or newer.`,
    ].join('\n'),
  )
  process.exit(1)
}
