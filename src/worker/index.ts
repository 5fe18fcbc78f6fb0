/** The entry point: exports the Worker, its Durable Object and the Worker that the object sends through. */
export { Outbox } from './outbox/outbox.ts'
export { Sender } from './sender.ts'
export { worker as default } from './worker.ts'
