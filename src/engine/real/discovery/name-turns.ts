/**
 * Pools that are set up side by side get names as if one came after the other: of those with one name the first has it,
 * whichever is ready first, and the next gets it only if that one could not be set up.
 */

/** To be called when the name is known. Resolves when it is the pool's turn to take it. */
export type NameTurn = (name: string) => Promise<void>;

export class NameTurns {
  /** Settled when all before the next one have taken their names, or ended without. */
  #before: Promise<unknown> = Promise.resolve();
  /** By name: the end of the last one that took it. */
  readonly #ends = new Map<string, Promise<unknown>>();

  /** Runs `work`, whose turn is behind those that were here before. */
  async take<T>(work: (turn: NameTurn) => Promise<T>): Promise<T> {
    const before = this.#before;
    let passOn: () => void = () => undefined;
    const passed = new Promise<void>((resolve) => {
      passOn = resolve;
    });
    this.#before = Promise.all([before, passed]);
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    try {
      return await work(async (name) => {
        await before;
        await this.#ends.get(name);
        this.#ends.set(name, ended);
        passOn();
      });
    } finally {
      passOn();
      end();
    }
  }
}
