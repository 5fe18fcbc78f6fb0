/** A repeatable event: everyone who waits for it resumes each time it fires. */
export class Signal {
  #next = Promise.withResolvers<void>()

  /** Resolves the next time it fires. */
  fired = (): Promise<void> => this.#next.promise

  fire = (): void => {
    this.#next.resolve()
    this.#next = Promise.withResolvers<void>()
  }
}
