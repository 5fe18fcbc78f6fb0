/** The entry point: exports the Worker and its Durable Object, and nothing else. */
export { Outbox } from './outbox/outbox.ts'
export { worker as default } from './worker.ts'
