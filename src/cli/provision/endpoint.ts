/** Endpoint: the address that Adobe's interface shows, and the flow id that may be part of it. Pure. */

export type Endpoint = { readonly endpoint: string; readonly flowId: string | null }

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
const FLOW_ID = 'x-adobe-flow-id'

/** The text says what is wrong; it never repeats the address. */
export function readEndpoint(
  text: string,
  flowId: string | null,
): Endpoint | { readonly wrong: string } {
  if (/[{}]/.test(text)) return { wrong: '--endpoint still has a {PLACEHOLDER}.' }
  if (!URL.canParse(text)) return { wrong: '--endpoint is no URL.' }
  const url = new URL(text)
  const isSafe =
    url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (!isSafe || url.username !== '')
    return { wrong: '--endpoint is an https URL (http for loopback only).' }
  if (!/^\/collection\/[^/]+$/.test(url.pathname)) {
    return { wrong: '--endpoint is of the form https://dcs.adobedc.net/collection/INLET_ID.' }
  }
  const inUrl = url.searchParams.get(FLOW_ID)
  if (flowId !== null && inUrl !== null && flowId !== inUrl) {
    return { wrong: `--flow-id is not the ${FLOW_ID} in --endpoint.` }
  }
  const id = (flowId ?? inUrl)?.trim() || null
  if (id !== null && !/^[\x21-\x7e]+$/.test(id))
    return { wrong: '--flow-id is an id without spaces.' }
  url.searchParams.delete(FLOW_ID)
  return { endpoint: url.href, flowId: id }
}
