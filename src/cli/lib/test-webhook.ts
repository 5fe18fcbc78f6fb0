/**
 * Test webhooks: a body of each kind, as Chatlio would send it, from somebody who is nobody.
 *
 * Promises: no two runs are the same event; no address can reach anybody. Pure: the run's name, the person and the moment
 * are passed in. `verify` takes the test person, so that AEP has one profile of it; `send` somebody new each time, whose
 * events are like any other.
 */
import type { Route } from '../../worker/chatlio/kind.ts'
import { TEST_PERSON } from '../../worker/chatlio/person.ts'

type TestPerson = { readonly uuid: string; readonly email: string }

/** Recognisable by `relay-test-`. */
export function newPerson(run: string): TestPerson {
  return { uuid: `relay-test-${run}`, email: `relay-test-${run}@example.com` }
}

/** `run`: some characters that no other run has. */
export function testWebhook(
  route: Route,
  run: string,
  at: Date,
  person: TestPerson = TEST_PERSON,
): string {
  const body =
    route === 'transcript' ? transcript(run, at, person) : conversation(route, run, person)
  return JSON.stringify(body)
}

function conversation(route: Route, run: string, { uuid, email }: TestPerson) {
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

function transcript(run: string, at: Date, { email }: TestPerson) {
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
