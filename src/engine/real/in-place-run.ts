/**
 * The long part of an encryption, re-encryption or decryption in place: it runs beside everything else that the pool
 * does, and only what changes the layers below the thin pool makes it pause.
 */
import type { CryptReencryption, Secret } from "../../native";
import { bytes, type Bytes } from "../../units";
import type { InPlaceProgress } from "../engine";
import { EngineError } from "../errors";
import type { InPlaceDevice } from "./crypt/in-place-device";
import type { InPlaceKind } from "./in-place";

export class InPlaceRun implements InPlaceProgress {
  #done = 0n;
  #total = 0n;
  /** Of the attempt that is running: when it began, and with how much done. */
  #since = { time: performance.now(), done: 0n };
  #run: CryptReencryption | null = null;
  /** Why it does not go on; null: it does. */
  #endReason: string | null = null;
  #paused = false;
  /** Settled when it is not paused any more. */
  #gate: Promise<void> = Promise.resolve();
  /** Settled while nothing is being worked on. */
  #leg: Promise<unknown> = Promise.resolve();

  constructor(
    readonly kind: InPlaceKind,
    private readonly crypt: Pick<InPlaceDevice, "runPending">,
    /** For the first attempt, beside the unlock methods; wiped then. */
    private passphrase: Secret | null,
  ) {}

  get done(): Bytes {
    return bytes(this.#done);
  }
  get total(): Bytes {
    return bytes(this.#total);
  }

  /** Seconds, by the speed so far; null: it can't be told yet. */
  get remainingSeconds(): number | null {
    const seconds = (performance.now() - this.#since.time) / 1000;
    const worked = Number(this.#done - this.#since.done);
    if (this.#run === null || worked <= 0 || seconds <= 0) return null;
    return Math.round((Number(this.#total - this.#done) * seconds) / worked);
  }

  /** Resolves when all data are done. Throws what it failed with; after end() that it was ended. */
  async work(): Promise<void> {
    for (;;) {
      while (this.#paused) await this.#gate;
      if (this.#endReason !== null)
        throw new EngineError(`The operation was interrupted: ${this.#endReason}; it goes on later`);
      const leg = this.#attempt();
      this.#leg = leg.catch(() => undefined);
      if ((await leg) === "finished") return;
    }
  }

  async #attempt(): Promise<"finished" | "stopped"> {
    const { passphrase } = this;
    this.passphrase = null;
    let first = true;
    try {
      return await this.crypt.runPending(
        passphrase,
        (done, total) => {
          if (first) this.#since = { time: performance.now(), done };
          first = false;
          this.#done = done;
          this.#total = total;
        },
        (run) => {
          this.#run = run;
          // It may have been asked to stop before there was anything to stop.
          if (this.#endReason !== null || this.#paused) run.stop();
        },
      );
    } finally {
      passphrase?.wipe();
      this.#run = null;
    }
  }

  /** Runs `work` while nothing is being worked on. */
  async pausedFor<T>(work: () => Promise<T>): Promise<T> {
    let open: () => void = () => undefined;
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    this.#paused = true;
    try {
      this.#run?.stop();
      await this.#leg;
      return await work();
    } finally {
      this.#paused = false;
      open();
    }
  }

  /** Resolves when nothing is being worked on any more: what is left is for another time. */
  async end(reason: string): Promise<void> {
    this.#endReason ??= reason;
    this.#run?.stop();
    await this.#leg;
  }
}
