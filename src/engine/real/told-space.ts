/** What clients have been told of a pool's space: whatever changes it, and however it ends, what differs is told, and once. */
import type { Pool, PoolProperty } from "../engine";

const SPACE = ["totalPhysicalSize", "allocatedSize", "totalPhysicalUsed", "noAllocSpace"] as const;
type Space = (typeof SPACE)[number] & PoolProperty;

export class ToldSpace {
  readonly #told: Map<Space, unknown>;

  /** `pool` is as clients see it first. */
  constructor(private readonly pool: Pick<Pool, Space>) {
    this.#told = new Map(SPACE.map((property) => [property, pool[property]]));
  }

  /** Those of the properties that are not what was told last. They are to be told now. */
  take(properties: readonly Space[] = SPACE): PoolProperty[] {
    const changed = properties.filter((property) => this.pool[property] !== this.#told.get(property));
    for (const property of changed) this.#told.set(property, this.pool[property]);
    return changed;
  }
}
