/** The simulator's keyring: keys are in the addon's memory, and no kernel keyring is looked at (engine.md §4.5, §25.1). */
import type { Secret } from "../../native";
import type { MappingCreateAction } from "../actions";
import { EngineError } from "../errors";

const MAX_KEY_BYTES = 64;

export class SimKeyring {
  readonly #keys = new Map<string, Secret>();

  /** Throws EngineError for a key of more than 64 bytes. */
  set(description: string, key: Secret): MappingCreateAction {
    if (key.bytes > MAX_KEY_BYTES)
      throw new EngineError(
        `Key with description "${description}" has ${key.bytes} bytes, which exceeds the maximum of ${MAX_KEY_BYTES}`,
      );
    const known = this.#keys.get(description);
    if (known?.equals(key) === true) return "identity";
    known?.wipe();
    this.#keys.set(description, key.share());
    return known === undefined ? "created" : "valueChanged";
  }

  unset(description: string): "deleted" | "identity" {
    this.#keys.get(description)?.wipe();
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
