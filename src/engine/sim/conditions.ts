/** What the simulator's operations meet with: nothing, failures at random before they do anything, time that they take. */
import { createHash } from "node:crypto";
import { EngineError } from "../errors";

export interface Conditions {
  /**
   * Awaited by every operation when it has its locks and before it has changed anything; when it rejects, the operation
   * fails with that. `operation`: the name of the method, as D-Bus has it.
   */
  begin(operation: string): Promise<void>;
  /** How long encryption, re-encryption and decryption in place take; absent or 0: they are done at once. */
  readonly inPlaceSeconds?: number;
}

export const untroubled: Conditions = { begin: () => Promise.resolve() };

export interface ErrorRate {
  /** 0 to 1. */
  readonly probability: number;
  /** The same seed gives the same sequence of failures. */
  readonly seed: bigint;
}

/** A digest is taken as a fraction of its first 6 bytes, which is as much as a number holds without loss. */
const FRACTION_BYTES = 6;

/**
 * Operations fail at random, so that clients can test what they do then. The n-th operation since the start fails or
 * does not by the seed and n alone.
 */
export class RandomErrors implements Conditions {
  #operations = 0n;

  constructor(readonly rate: ErrorRate) {}

  begin(operation: string): Promise<void> {
    this.#operations += 1n;
    const { probability, seed } = this.rate;
    const digest = createHash("sha256").update(`${seed}:${this.#operations}`).digest();
    const chance = digest.readUIntBE(0, FRACTION_BYTES) / 2 ** (8 * FRACTION_BYTES);
    if (chance >= probability) return Promise.resolve();
    return Promise.reject(
      new EngineError(
        `${operation} failed because the simulator was asked for errors (probability ${probability}, seed ${seed}, ` +
          `operation ${this.#operations}); nothing was changed`,
      ),
    );
  }
}
