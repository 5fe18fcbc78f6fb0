/** Exports only: the Worker. */
export { app as default } from './app.ts'
