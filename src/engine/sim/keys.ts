/** The simulator's keyring: keys are in memory, and no kernel keyring is looked at (engine.md §4.5, §25.1). */
import type { MappingCreateAction } from "../actions";
import { EngineError } from "../errors";

const MAX_KEY_BYTES = 64;

export class SimKeyring {
  readonly #keys = new Map<string, Buffer>();

  /** Throws EngineError for a key of more than 64 bytes. */
  set(description: string, key: Uint8Array): MappingCreateAction {
    if (key.length > MAX_KEY_BYTES)
      throw new EngineError(
        `Key with description "${description}" has ${key.length} bytes, which exceeds the maximum of ${MAX_KEY_BYTES}`,
      );
    const known = this.#keys.get(description);
    if (known?.equals(key) === true) return "identity";
    // A copy: the caller may wipe its own.
    this.#keys.set(description, Buffer.from(key));
    return known === undefined ? "created" : "valueChanged";
  }

  unset(description: string): "deleted" | "identity" {
    return this.#keys.delete(description) ? "deleted" : "identity";
  }

  list(): string[] {
    return [...this.#keys.keys()].sort();
  }

  /** Throws EngineError naming the first description that has no key. */
  require(descriptions: Iterable<string>): void {
    for (const description of descriptions)
      if (!this.#keys.has(description))
        throw new EngineError(`Key with key description ${description} not found in the simulated keyring`);
  }
}
