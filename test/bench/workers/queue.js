/** Cloudflare Queues as its documentation shows them: the producer answers once the message is in the queue. */
export default {
  async fetch(request, env) {
    await env.EVENTS.send(await request.text(), { contentType: 'text' })
    return Response.json({ status: 'queued' }, { status: 202 })
  },

  async queue(batch, env) {
    await Promise.all(
      batch.messages.map(async (message) => {
        const answer = await fetch(env.UPSTREAM, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: message.body,
        }).catch(() => null)
        if (answer?.ok) message.ack()
        else message.retry({ delaySeconds: Math.min(2 ** message.attempts, 43_200) })
      }),
    )
  },
}
