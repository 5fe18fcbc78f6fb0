/** What is stored of the outbox objects in a folder: every value of every table, the runtime's own included. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export function valuesIn(folder: string): unknown[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => name.endsWith('.sqlite'))
  if (files.length === 0) throw new Error(`${folder} has no storage in it.`)
  return files.flatMap((name) => valuesOf(path.join(folder, name)))
}

function valuesOf(file: string): unknown[] {
  const database = new DatabaseSync(file, { readOnly: true })
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  const rows = tables.flatMap(({ name }) => {
    const all = database.prepare(`SELECT * FROM "${name}"`)
    all.setReadBigInts(true)
    return all.all()
  })
  database.close()
  return rows.flatMap((row) => Object.values(row))
}
