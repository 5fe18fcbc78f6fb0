/** The minimum for custody: writes the bytes of a request as one row of a SQLite-backed Durable Object. */
import { DurableObject } from 'cloudflare:workers'

export class Rows extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB)')
  }

  insert(body) {
    this.ctx.storage.sql.exec('INSERT INTO rows (body) VALUES (?)', body)
  }
}

export default {
  async fetch(request, env) {
    await env.ROWS.getByName('rows').insert(await request.arrayBuffer())
    return Response.json({ status: 'inserted' }, { status: 202 })
  },
}
