/**
 * Relay URL: the address of a relay as a person gives it: its root, or a webhook URL pasted as it stands in Chatlio.
 * A key is sent to https or to this machine only. Pure.
 */
import { isSafe } from '../../worker/config/destination.ts'

type RelayUrl = {
  /** Without a slash at its end. */
  readonly base: string
  /** The key in a pasted webhook URL. */
  readonly key: string | null
}

export function parseRelayUrl(text: string): RelayUrl | { readonly wrong: string } {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    return { wrong: `--url is the address of the relay, such as https://relay.example.com` }
  }
  const url = new URL(text)
  if (!isSafe(url)) {
    return { wrong: '--url must begin with https: over http anybody on the way could read the key' }
  }
  const path = url.pathname.replace(/\/(chatlio(\/.*)?|health)?\/*$/, '')
  return { base: `${url.origin}${path}`, key: url.searchParams.get('key') }
}
