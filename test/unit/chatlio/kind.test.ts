import { describe, expect, it } from 'vitest'
import {
  inferKind,
  KINDS,
  ROUTE_KINDS,
  ROUTES,
  STORED_KINDS,
} from '../../../src/worker/chatlio/kind.ts'
import conversation from '../../fixtures/conversation.json'
import conversationMinimal from '../../fixtures/conversation-minimal.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import transcriptSparse from '../../fixtures/transcript-sparse.json'

describe('the kinds', () => {
  it('are the five webhooks, `conversation` and `auto`', () => {
    const routes = ['transcript', 'offline-message', 'new-conversation', 'unanswered', 'feedback']
    expect(ROUTE_KINDS).toEqual(routes)
    expect(STORED_KINDS).toEqual([...routes, 'conversation', 'auto'])
  })

  it('have the event types on which a mapping in AEP relies', () => {
    const types = Object.entries(KINDS).map(([kind, { eventType }]) => [kind, eventType])
    expect(Object.fromEntries(types)).toEqual({
      transcript: 'chatlio.transcript',
      'offline-message': 'chatlio.offlineMessage',
      'new-conversation': 'chatlio.newConversation',
      unanswered: 'chatlio.unanswered',
      feedback: 'chatlio.feedback',
      conversation: 'chatlio.conversation',
    })
  })

  it.each(['transcript', 'offline-message', 'new-conversation', 'unanswered', 'feedback'])(
    'have a route: %s',
    (segment) => {
      expect(ROUTES.get(segment)).toBe(segment)
    },
  )

  it.each([
    'auto',
    'conversation',
    'Transcript',
    'transcript/',
    ' feedback',
    'offline_message',
    'constructor',
    '__proto__',
    'length',
    '0',
  ])('have no route: %j', (segment) => {
    expect(ROUTES.has(segment)).toBe(false)
  })
})

describe('the kind inferred from the body', () => {
  it.each([
    ['the transcript sample', transcript, 'transcript'],
    ['the sparse transcript', transcriptSparse, 'transcript'],
    ['the offline message sample', offlineMessage, 'offline-message'],
    ['the conversation sample', conversation, 'conversation'],
    ['the minimal conversation', conversationMinimal, 'conversation'],
  ])('of %s', (_, payload, kind) => {
    expect(inferKind(payload)).toBe(kind)
  })

  it.each([
    ['{"messages":[]}', 'transcript'],
    ['{"messages":[],"message":"Hi","emailPretty":"A <a@b.c>","visitor":{}}', 'transcript'],
    ['{"messages":null}', 'transcript'],
    ['{"emailPretty":"A <a@b.c>"}', 'offline-message'],
    ['{"emailPretty":"A <a@b.c>","visitor":{"UUID":"u"}}', 'offline-message'],
    ['{"message":"Hi","name":"A"}', 'offline-message'],
    ['{"message":"Hi","email":"a@b.c"}', 'offline-message'],
    ['{"message":"Hi","subject":"S"}', 'offline-message'],
    ['{"message":"","name":"","visitor":{"UUID":"u"}}', 'offline-message'],
    ['{"message":"Hi","visitor":{"UUID":"u","email":"a@b.c","name":"A"}}', 'conversation'],
    ['{"message":"Hi"}', 'conversation'],
    ['{"visitor":{"UUID":"u"}}', 'conversation'],
    ['{"visitor":{"UUID":"u"},"name":"A","email":"a@b.c","subject":"S"}', 'conversation'],
    ['{"name":"A","email":"a@b.c","subject":"S"}', 'auto'],
    ['{"conversationUUID":"c","channelId":"C"}', 'auto'],
    ['{"Messages":[],"MESSAGE":"Hi"}', 'auto'],
    ['{}', 'auto'],
    ['{"__proto__":{"messages":[],"emailPretty":"x","visitor":{}}}', 'auto'],
    ['{"constructor":1,"toString":2}', 'auto'],
  ])('of %s is %s', (text, kind) => {
    expect(inferKind(JSON.parse(text) as object)).toBe(kind)
  })
})
