/**
 * Node-RED with a context store on disk that is not cached: its documentation says that what is cached and not flushed yet
 * is lost when the process is killed (https://nodered.org/docs/api/context/store/localfilesystem).
 */
const { PORT, HOME_DIR, FLOWS } = process.env

module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(PORT),
  userDir: HOME_DIR,
  flowFile: FLOWS,
  httpAdminRoot: false,
  httpNodeRoot: '/',
  disableEditor: true,
  telemetry: { enabled: false },
  contextStorage: {
    default: { module: 'memory' },
    file: { module: 'localfilesystem', config: { cache: false } },
  },
  logging: { console: { level: 'warn' } },
}
