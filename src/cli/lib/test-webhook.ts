/**
 * Test webhooks: a body of each kind, as Chatlio would send it, from a visitor that is nobody.
 *
 * Promises: each run has a new visitor and address, recognisable by `relay-test-`, so that everything a run
 * has left in AEP can be found and erased by them; no two runs are the same event. The address is of a domain that is
 * reserved for examples (RFC 2606), so no mail can reach anybody. Pure: the run's name and the moment are passed in.
 */
import type { Route } from '../../worker/chatlio/kind.ts'
import { TEST_MARK } from '../../worker/drift/drift.ts'

export type TestVisitor = { readonly uuid: string; readonly email: string }

export function testVisitor(run: string): TestVisitor {
  return { uuid: TEST_MARK + run, email: `${TEST_MARK}${run}@example.com` }
}

/** `run`: some characters that no other run has. */
export function testWebhook(route: Route, run: string, at: Date): string {
  return JSON.stringify(route === 'transcript' ? transcript(run, at) : conversation(route, run))
}

function conversation(route: Route, run: string) {
  const { uuid, email } = testVisitor(run)
  const visitor = {
    email,
    UUID: uuid,
    name: 'Relay Test',
    handle: 'relay-test',
    userAgent: 'chatlio-edge-relay test',
    currentPage: 'https://example.com/relay-test',
    IPAddress: '192.0.2.1',
  }
  const message = `Test of the Chatlio relay (${route}, ${run}). No visitor wrote this.`
  if (route === 'offline-message') {
    return { name: 'Relay Test', email, emailPretty: `"Relay Test" <${email}>`, message, visitor }
  }
  return {
    visitor,
    message,
    conversationUUID: `relay-test-${run}`,
    channelId: 'relay-test',
    slackChannelName: 'relay-test',
    slackChannelId: 'relay-test',
  }
}

function transcript(run: string, at: Date) {
  const { email } = testVisitor(run)
  const startedAt = new Date(at.getTime() - 60_000).toISOString()
  const text = `Test of the Chatlio relay (transcript, ${run}). No visitor wrote this.`
  const message = { text, sentAt: startedAt, username: 'relay-test', isVisitorMsg: true }
  return {
    agentName: 'Relay Test',
    channelId: 'relay-test',
    channelName: 'relay-test',
    conversationUUID: `relay-test-${run}`,
    startedAt,
    endedAt: at.toISOString(),
    textBody: `relay-test: ${text}`,
    messages: [message],
    visitorEmail: email,
    visitorName: 'Relay Test',
  }
}
