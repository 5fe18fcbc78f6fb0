/** The minimum for a relay: sends the request on to another address and returns its answer. */
export default {
  fetch: (request, env) => fetch(env.UPSTREAM, request),
}
