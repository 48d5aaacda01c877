/** How long to leave something alone that has just failed, when each try disturbs whoever uses it. */

/** Milliseconds. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 600_000;

/** A pause that doubles with every failure, from ten seconds to ten minutes, and ends with the first success. */
export class RetryPause {
  #lastMs = 0;
  #endMs = 0;

  /** `now`: milliseconds of a clock that nobody sets. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  get isOver(): boolean {
    return this.now() >= this.#endMs;
  }

  /** Returns the length of the pause that begins, in milliseconds. */
  begin(): number {
    this.#lastMs = Math.min(Math.max(2 * this.#lastMs, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    this.#endMs = this.now() + this.#lastMs;
    return this.#lastMs;
  }

  forget(): void {
    this.#lastMs = 0;
    this.#endMs = 0;
  }
}
