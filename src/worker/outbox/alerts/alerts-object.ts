/**
 * The RPC methods of a shard that have to do with alerts and drift, for `Outbox` to inherit. Apart from refused events,
 * which each shard counts, shard 0 keeps all of it.
 */
import type { DriftKey, DriftReport, DriftRow, DriftSummary } from '../../drift/drift.ts'
import { DriftStore } from '../drift/drift-store.ts'
import { RecordsObject } from '../records/records-object.ts'
import { AlertStore } from './alert-store.ts'

export abstract class AlertsObject extends RecordsObject {
  protected readonly alerts = new AlertStore(this.ctx.storage.sql)
  readonly #drift = new DriftStore(this.ctx.storage)

  refusalsCounted(upTo: number): void {
    this.alerts.refusalsCounted(upTo)
  }

  /** Shard 0 keeps the states of alerts for all. JSON text; `null` before the first run. */
  alertStates(): string | null {
    return this.alerts.states()
  }

  async saveAlertStates(states: string): Promise<void> {
    this.alerts.saveStates(states)
    await this.ctx.storage.sync()
  }

  /** Shard 0 keeps what isolates have seen of changes in what Chatlio sends. */
  override reportDrift(reports: readonly DriftReport[]): void {
    this.#drift.record(reports, Date.now())
  }

  driftRows(): DriftRow[] {
    return this.#drift.rows()
  }

  driftSummary(): DriftSummary {
    return this.#drift.summary()
  }

  /** The row, now accepted; `null` if there is no such row. */
  acceptDrift(key: DriftKey): DriftRow | null {
    return this.#drift.accept(key)
  }
}
