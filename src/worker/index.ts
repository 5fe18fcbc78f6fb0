/** Exports only: the Worker and its Durable Object. */
export { Outbox } from './outbox/outbox.ts'
export { worker as default } from './worker.ts'
