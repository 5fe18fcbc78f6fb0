/**
 * Test webhooks: a body of each kind, as Chatlio would send it, from the test person, who is nobody.
 *
 * Promises: always the same person, so that AEP makes one profile and one command erases it; no two runs are the same
 * event. Pure: the run's name and the moment are passed in.
 */
import type { Route } from '../../worker/chatlio/kind.ts'
import { TEST_PERSON } from '../../worker/chatlio/test-person.ts'

/** `run`: some characters that no other run has. */
export function testWebhook(route: Route, run: string, at: Date): string {
  return JSON.stringify(route === 'transcript' ? transcript(run, at) : conversation(route, run))
}

function conversation(route: Route, run: string) {
  const { uuid, email } = TEST_PERSON
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
  const { email } = TEST_PERSON
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
