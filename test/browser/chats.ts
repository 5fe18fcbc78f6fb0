/** Webhooks as Chatlio sends them, each of another conversation: always the same in the same order. */

const VISITORS = ['Ada', 'Ben', 'Chloé', 'Dmitri', 'Emeka', 'Fatima', 'Grete', 'Hiro'] as const

let number = 0

type Chat = {
  readonly visitor: { readonly UUID: string; readonly email: string; readonly name: string }
  readonly conversationUUID: string
  readonly message: string
}

/** Body of `new-conversation`, `unanswered` and `feedback`. */
export function chat(message = 'Do you ship to Belgium?'): Chat {
  number += 1
  const name = VISITORS[number % VISITORS.length] ?? ''
  const digits = String(number).padStart(12, '0')
  const email = `visitor-${number}@example.com`
  return {
    visitor: { UUID: `7c0e2b1a-52d4-4a7e-9f5e-${digits}`, email, name },
    conversationUUID: `b9d3f0c2-6a1e-4c58-8a34-${digits}`,
    message,
  }
}

/** A body of `transcript`. */
export function transcript(text = 'Where is my parcel?') {
  const { visitor, conversationUUID } = chat()
  return {
    conversationUUID,
    visitorEmail: visitor.email,
    visitorName: visitor.name,
    messages: [{ text, username: visitor.name, isVisitorMsg: true }],
  }
}

/** Not of the documented shape: `messages` is no list. */
export const badTranscript = (messages: unknown = 'none today') => ({ ...transcript(), messages })
