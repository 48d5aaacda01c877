/** An operation in place of the simulator: nothing is worked on, but it takes time, and tells how far it is. */
import { bytes, type Bytes } from "../../units";
import type { InPlaceProgress } from "../engine";
import { EngineError } from "../errors";

export class SimInPlace implements InPlaceProgress {
  /** When the work began; null: it has not. */
  #since: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #fail: (error: EngineError) => void = () => undefined;
  #interruption: EngineError | null = null;

  /** `size`: what there is to work on. `seconds`: how long that takes; with 0 it is done at once. */
  constructor(
    readonly kind: InPlaceProgress["kind"],
    private readonly size: Bytes,
    private readonly seconds: number,
  ) {}

  get total(): Bytes {
    return this.#since === null ? bytes(0n) : this.size;
  }
  /** At the same speed all the time. */
  get done(): Bytes {
    const part = this.seconds === 0 ? 0 : this.#elapsed / this.seconds;
    return bytes(BigInt(Math.floor(Number(this.size) * Math.min(part, 1))));
  }
  get remainingSeconds(): number | null {
    return this.#since === null ? null : Math.max(0, Math.round(this.seconds - this.#elapsed));
  }

  /** Seconds of work so far. */
  get #elapsed(): number {
    return this.#since === null ? 0 : (performance.now() - this.#since) / 1000;
  }

  /** Resolves when the time is over. Rejects when interrupt() comes first. */
  async work(): Promise<void> {
    if (this.#interruption !== null) throw this.#interruption;
    if (this.seconds === 0) return;
    this.#since = performance.now();
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#timer = setTimeout(resolve, this.seconds * 1000);
    });
  }

  interrupt(reason: string): void {
    this.#interruption = new EngineError(`The operation was interrupted: ${reason}; nothing was changed`);
    clearTimeout(this.#timer);
    this.#fail(this.#interruption);
  }
}
