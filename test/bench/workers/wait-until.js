/** Answers at once and relays afterwards, as many examples of webhook receivers do. */
export default {
  fetch(request, env, ctx) {
    const { headers } = request
    const relay = async () => {
      const body = await request.arrayBuffer()
      const answer = await fetch(env.UPSTREAM, { method: 'POST', headers, body })
      if (!answer.ok) console.error(`the upstream answered ${answer.status}`)
    }
    ctx.waitUntil(relay())
    return Response.json({ status: 'accepted' }, { status: 202 })
  },
}
