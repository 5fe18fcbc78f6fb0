import { describe, expect, it } from 'vitest'
import { identityOf } from '../../../src/worker/aep/record/identity.ts'
import type { EventKind } from '../../../src/worker/chatlio/kind.ts'
import conversation from '../../fixtures/conversation.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { encodeXdm } from './encode-xdm.ts'
import { eventOf, ID, XDM } from './split-arbitraries.ts'
import { entity, record } from './split-whole.ts'

const RECEIVED_AT = '2026-11-02T09:30:00.123Z'

function entityOf(kind: EventKind, payload: unknown, destination = XDM) {
  return entity(encodeXdm(eventOf(kind, payload), destination))
}

const feedback = (visitor: object, more: object = {}) =>
  entityOf('feedback', { visitor: { UUID: 'u1', ...visitor }, ...more })

const unmappedOf = (entity: { _acme: { chatlio: { unmapped: string } } }) =>
  JSON.parse(entity._acme.chatlio.unmapped)

describe('the samples as ExperienceEvents', () => {
  it('a conversation', () => {
    const { visitor } = conversation
    expect(entityOf('new-conversation', conversation)).toEqual({
      _id: ID,
      timestamp: RECEIVED_AT,
      eventType: 'chatlio.newConversation',
      producedBy: 'self',
      identityMap: {
        ChatlioVisitor: [{ id: visitor.UUID, authenticatedState: 'ambiguous', primary: true }],
      },
      web: { webPageDetails: { URL: visitor.currentPage } },
      environment: {
        type: 'browser',
        browserDetails: { userAgent: visitor.userAgent },
        ipV4: '203.0.113.21',
      },
      placeContext: { geo: { city: 'Utrecht', countryCode: 'NL' } },
      _acme: {
        chatlio: {
          receivedAt: RECEIVED_AT,
          conversationUuid: conversation.conversationUUID,
          channelId: 'C1NABCDEF',
          slackChannelName: 'live-chat',
          slackChannelId: 'C1XPVTNKR',
          message: conversation.message,
          visitor: {
            uuid: visitor.UUID,
            handle: 'netherlands-12',
            createdAt: '2016-02-07T19:02:17.839Z',
            location: 'Utrecht, Utrecht, Netherlands',
          },
        },
      },
    })
  })

  it('an offline message', () => {
    const entity = entityOf('offline-message', offlineMessage)
    const { UUID } = offlineMessage.visitor
    expect(entity.identityMap).toEqual({
      ChatlioVisitor: [{ id: UUID, authenticatedState: 'ambiguous', primary: true }],
      Email: [{ id: 'ada@example.com', authenticatedState: 'ambiguous', primary: false }],
    })
    expect(entity.environment.ipV6).toBe('2001:db8::7')
    expect(entity._acme.chatlio).toEqual({
      receivedAt: RECEIVED_AT,
      name: 'Ada Example',
      email: 'ada@example.com',
      emailPretty: '"Ada Example" <Ada@Example.com>',
      message: 'Do you ship to Belgium?',
      visitor: {
        uuid: UUID,
        email: 'ada@example.com',
        name: 'Ada Example',
        identUserId: 'user1234',
        identTraits: '{"plan":"gold","seats":3}',
        handle: 'netherlands-12',
        createdAt: '2016-02-07T19:02:17.839Z',
      },
    })
  })

  it('a transcript', () => {
    const entity = entityOf('transcript', transcript)
    expect(entity.timestamp).toBe('2018-05-19T16:14:32.000Z')
    expect(entity.producedBy).toBe('system')
    expect(entity.identityMap).toBeUndefined()
    expect(entity._acme.chatlio).toMatchObject({
      agent: { email: 'agent@example.com', name: 'Sam Agent' },
      replyToEmail: 'fallback@example.com',
      extraData: ['extra', 'stuff', 'here'],
      startedAt: '2018-05-19T15:58:02.560Z',
      visitor: { name: 'utrecht-netherlands-133' },
      messageCount: 2,
      textBody: transcript.textBody,
      htmlBody: transcript.htmlBody,
    })
    expect(entity._acme.chatlio.messages).toEqual([
      {
        index: 0,
        text: 'Where is my parcel?',
        ts: '1526745489.000005',
        sentAt: '2018-05-19T15:58:09.000Z',
        username: 'utrecht-netherlands',
        isVisitorMsg: true,
      },
      {
        index: 1,
        text: 'On its way!',
        ts: '1526745507.000007',
        sentAt: '2018-05-19T15:58:27.000Z',
        userId: 'U0N2GKA2G',
        username: 'Sam A.',
        isVisitorMsg: false,
      },
    ])
    expect(unmappedOf(entity)).toEqual({ visitorTraits: transcript.visitorTraits })
  })

  it('a sparse transcript', () => {
    const entity = entityOf('transcript', sparse)
    expect(entity.identityMap).toEqual({
      Email: [{ id: 'user@example.com', authenticatedState: 'ambiguous', primary: true }],
    })
    expect(entity._acme.chatlio).toEqual({
      receivedAt: RECEIVED_AT,
      visitor: { email: 'user@example.com' },
      textBody: 'Test message body',
      messageCount: 1,
    })
  })
})

describe('the envelope', () => {
  const event = eventOf('new-conversation', conversation)
  const schemaRef = {
    id: XDM.schemaId,
    contentType: 'application/vnd.adobe.xed-full+json;version=1',
  }

  it('names schema, organisation, dataset and source', () => {
    const { header, body } = record(encodeXdm(event, XDM))
    const source = { name: 'Chatlio' }
    expect(header).toEqual({ schemaRef, imsOrgId: 'ORG@AdobeOrg', datasetId: 'dataset', source })
    expect(body.xdmMeta).toEqual({ schemaRef })
  })

  it('has the flow id only if one is set', () => {
    expect(record(encodeXdm(event, { ...XDM, flowId: 'flow-1' })).header.flowId).toBe('flow-1')
  })

  it('has the schema version of the configuration', () => {
    const { header } = record(encodeXdm(event, { ...XDM, schemaVersion: '1.7' }))
    expect(header.schemaRef.contentType).toBe('application/vnd.adobe.xed-full+json;version=1.7')
  })
})

describe('identities', () => {
  const item = (id: string, primary: boolean) => ({ id, authenticatedState: 'ambiguous', primary })

  it('have the visitor as primary, under the configured namespace, and the email second', () => {
    const entity = entityOf(
      'feedback',
      { visitor: { UUID: 'u1', email: ' Ada@Example.com ' } },
      { ...XDM, visitorNamespace: 'Shop' },
    )
    const identityMap = { Shop: [item('u1', true)], Email: [item('ada@example.com', false)] }
    expect(entity.identityMap).toEqual(identityMap)
  })

  it('share one namespace, with one primary, if both use the same', () => {
    const event = eventOf('feedback', { visitor: { UUID: 'u1', email: 'a@b' } })
    const { body } = record(encodeXdm(event, { ...XDM, visitorNamespace: 'Email' }))
    expect(body.xdmEntity.identityMap).toEqual({ Email: [item('u1', true), item('a@b', false)] })
  })

  it('of an offline message without a visitor are its email only', () => {
    const entity = entityOf('offline-message', { message: 'Hi', email: 'Ada@Example.com' })
    expect(entity.identityMap).toEqual({ Email: [item('ada@example.com', true)] })
  })

  it('of an offline message prefer the visitor’s email if it is valid', () => {
    const with_ = (email: string) => ({ message: 'Hi', email: 'typed@x', visitor: { email } })
    expect(entityOf('offline-message', with_('known@x')).identityMap.Email[0].id).toBe('known@x')
    expect(entityOf('offline-message', with_('unknown')).identityMap.Email[0].id).toBe('typed@x')
  })

  it.each([
    ['the agent’s', { agentEmail: 'agent@example.com' }],
    ['the fallback for replies', { replyToEmail: 'fallback@example.com' }],
    ['one of an undocumented visitor', { visitor: { UUID: 'u1', email: 'a@b' } }],
    ['not an address', { visitorEmail: 'nobody' }],
    ['two addresses', { visitorEmail: 'a@b@c' }],
    ['one with a blank', { visitorEmail: 'a b@c' }],
    ['a very long one', { visitorEmail: `${'a'.repeat(1023)}@b` }],
    ['one with a lone surrogate', { visitorEmail: 'a\ud83d@b' }],
  ])('of a transcript never include an email that is %s', (_, fields) => {
    const payload = { messages: [], ...fields }
    expect(entityOf('transcript', payload).identityMap).toBeUndefined()
    expect(identityOf(eventOf('transcript', payload))).toBe('none')
  })

  it.each([
    ['blanks', '  '],
    ['too long', 'u'.repeat(1025)],
    ['a lone surrogate', '\udc00'],
    ['one with a NUL', 'u\0'],
  ])('have the email as primary if the visitor’s UUID is %s', (_, UUID) => {
    const payload = { visitor: { UUID, email: 'a@b' } }
    expect(entityOf('feedback', payload).identityMap).toEqual({ Email: [item('a@b', true)] })
    expect(entityOf('feedback', payload)._acme.chatlio.visitor.uuid).toBe(UUID)
    expect(identityOf(eventOf('feedback', payload))).toBe('email')
  })

  it('of an offline message are never made of a text that has a name in it', () => {
    const payload = { message: 'Hi', email: 'no address', emailPretty: 'ada@example.com' }
    expect(entityOf('offline-message', payload).identityMap).toBeUndefined()
  })

  it('name the primary one in the log line', () => {
    expect(identityOf(eventOf('feedback', { visitor: { UUID: 'u1', email: 'a@b' } }))).toBe(
      'visitor',
    )
  })
})

describe('a value without a path in the schema goes into `unmapped`', () => {
  it('an undocumented field, whatever its value', () => {
    const rating = { stars: null, 'a.b': [''] }
    const entity = feedback({ vip: false }, { rating, note: '' })
    expect(unmappedOf(entity)).toEqual({ 'visitor.vip': false, rating, note: '' })
  })

  it('a page that is not a URL', () => {
    const entity = feedback({ currentPage: '/orders', referrerURL: 'about:blank' })
    expect(entity.web).toBeUndefined()
    expect(unmappedOf(entity)).toEqual({
      'visitor.currentPage': '/orders',
      'visitor.referrerURL': 'about:blank',
    })
  })

  it.each(['203.0.113.21, 10.0.0.1', '256.1.1.1', '1.2.3', 'fe80::1%eth0', '::1]/[', 'localhost'])(
    'the invalid IP address %s',
    (IPAddress) => {
      const entity = feedback({ IPAddress })
      expect(entity.environment).toBeUndefined()
      expect(unmappedOf(entity)).toEqual({ 'visitor.IPAddress': IPAddress })
    },
  )

  it('an unreadable time', () => {
    const messages = [{ text: 'Hi', sentAt: 'yesterday' }]
    const entity = entityOf('transcript', { messages, startedAt: '2018-05-19', endedAt: 'soon' })
    expect(unmappedOf(entity)).toEqual({
      'messages.0.sentAt': 'yesterday',
      startedAt: '2018-05-19',
      endedAt: 'soon',
    })
    expect(entity.timestamp).toBe(RECEIVED_AT)
  })

  it('a list that does not consist of texts', () => {
    const entity = entityOf('transcript', { messages: [], extraData: ['a', { b: 1 }] })
    expect(unmappedOf(entity)).toEqual({ extraData: ['a', { b: 1 }] })
  })

  it('a second value for the same path', () => {
    const payload = { messages: [], visitorName: 'Ada', visitor: { name: 'Bo', UUID: 'u1' } }
    const entity = entityOf('transcript', payload)
    const { name } = entity._acme.chatlio.visitor
    const moved = unmappedOf(entity)
    expect([name, moved['visitor.name'] ?? moved.visitorName].sort()).toEqual(['Ada', 'Bo'])
  })

  it('a second value that is not documented, wherever it stands', () => {
    const visitor = { UUID: 'u1', email: 'ada@example.com' }
    const entity = entityOf('feedback', { visitorEmail: 'bo@example.com', visitor })
    expect(entity._acme.chatlio.visitor.email).toBe('ada@example.com')
    expect(unmappedOf(entity)).toEqual({ visitorEmail: 'bo@example.com' })
  })

  it('escapes dots in keys, so that each path names one place', () => {
    const entity = feedback({ a: 1 }, { 'visitor.a': 2, 'b\\.c': 3 })
    expect(unmappedOf(entity)).toEqual({ 'visitor.a': 1, 'visitor\\.a': 2, 'b\\\\\\.c': 3 })
  })
})

describe('hostile content', () => {
  it('is encoded as valid JSON, lone surrogates and NULs included', () => {
    const message = 'a\0b \ud83d c \ude00 😀 "\\" \u2028'
    expect(feedback({ name: message }, { message })._acme.chatlio).toMatchObject({
      message,
      visitor: { name: message },
    })
  })

  it('never reaches a prototype', () => {
    const payload = JSON.parse(
      '{"visitor":{"UUID":"u1","__proto__":{"a":1}},"__proto__":{"a":1},"x":{"__proto__":{"a":1}}}',
    )
    const text = encodeXdm(eventOf('feedback', payload), XDM)
    expect(text).toContain('__proto__')
    expect(({} as { a?: number }).a).toBeUndefined()
    const names = { tenant: '_proto__', visitorNamespace: '__proto__' }
    const entity = entityOf('feedback', payload, { ...XDM, ...names })
    expect(Object.keys(entity.identityMap)).toEqual(['__proto__'])
    expect(Object.keys(entity)).toContain('__proto__')
  })

  it('cannot choose its own path', () => {
    const entity = feedback(
      {},
      { _acme: { chatlio: { message: 'x' } }, identityMap: { Email: [] } },
    )
    expect(entity.identityMap).toEqual({ ChatlioVisitor: [expect.anything()] })
    expect(entity._acme.chatlio.message).toBeUndefined()
  })
})
