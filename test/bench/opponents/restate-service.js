/** The service that Restate calls, again and again until it succeeds; the request it makes is a step of its own. */
import * as restate from '@restatedev/restate-sdk'

const { PORT, UPSTREAM } = process.env

const relay = restate.service({
  name: 'relay',
  handlers: {
    forward: async (ctx, event) => {
      await ctx.run('post', async () => {
        const answer = await fetch(UPSTREAM, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(event),
          signal: AbortSignal.timeout(15_000),
        })
        await answer.text()
        if (!answer.ok) throw new Error(`the upstream answered ${answer.status}`)
      })
    },
  },
})

await restate.serve({ services: [relay], port: Number(PORT) })
