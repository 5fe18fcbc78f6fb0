/** Wakes whoever waits for something to have happened, each time it does. */
export class Signal {
  #next = Promise.withResolvers<void>()

  /** Resolves the next time it fires. */
  fired = (): Promise<void> => this.#next.promise

  fire = (): void => {
    this.#next.resolve()
    this.#next = Promise.withResolvers<void>()
  }
}
