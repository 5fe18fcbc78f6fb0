/** The least that a relay can do: the same request to one other address, the answer as it comes. */
export default {
  fetch: (request, env) => fetch(env.UPSTREAM, request),
}
