/** Mutual exclusion of operations that await: first come, first served. */

export class Mutex {
  #tail: Promise<void> = Promise.resolve();
  #holders = 0;

  /** Held, or waited for, by someone. */
  get busy(): boolean {
    return this.#holders > 0;
  }

  /** Runs `work` when all earlier callers are done; their failures don't matter to it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    const previous = this.#tail;
    let release: () => void = () => undefined;
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await previous;
      return await work();
    } finally {
      this.#holders -= 1;
      release();
    }
  }
}
