/** The simulator's operations: each runs from beginning to end without giving way, so that it needs no locks. */

/** A promise of what `work` returns or throws. */
export const attempt = <T>(work: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(work());
  });
