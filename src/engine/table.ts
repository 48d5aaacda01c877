/** Things with a uuid and a name, each unique in its table: pools of an engine, filesystems of a pool. */
import { assertInvariant } from "./errors";

export interface Named<U> {
  readonly uuid: U;
  readonly name: string;
}

export class NamedTable<U extends string, T extends Named<U>> {
  readonly #byUuid = new Map<U, T>();
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#byUuid.size;
  }

  /** In order of insertion. */
  values(): IterableIterator<T> {
    return this.#byUuid.values();
  }

  byUuid(uuid: U): T | undefined {
    return this.#byUuid.get(uuid);
  }

  byName(name: string): T | undefined {
    return this.#byName.get(name);
  }

  insert(item: T): void {
    assertInvariant(!this.#byUuid.has(item.uuid), `uuid ${item.uuid} is in the table already`);
    assertInvariant(!this.#byName.has(item.name), `name "${item.name}" is in the table already`);
    this.#byUuid.set(item.uuid, item);
    this.#byName.set(item.name, item);
  }

  /** Does nothing when there is no such item. */
  remove(uuid: U): void {
    const item = this.#byUuid.get(uuid);
    if (item === undefined) return;
    this.#byUuid.delete(uuid);
    this.#byName.delete(item.name);
  }

  /** `change` gives the item its new name; the table follows whatever the item is called afterwards. */
  rename(uuid: U, change: () => void): void {
    const { item, before } = this.#require(uuid);
    try {
      change();
    } finally {
      this.#moveName(item, before);
    }
  }

  /** As rename(), for a change that takes time; the item can be found by its old name until it is done. */
  async renameWith(uuid: U, change: () => Promise<void>): Promise<void> {
    const { item, before } = this.#require(uuid);
    try {
      await change();
    } finally {
      this.#moveName(item, before);
    }
  }

  #require(uuid: U): { item: T; before: string } {
    const item = this.#byUuid.get(uuid);
    assertInvariant(item !== undefined, `uuid ${uuid} is not in the table`);
    return { item, before: item.name };
  }

  #moveName(item: T, before: string): void {
    if (item.name === before) return;
    const holder = this.#byName.get(item.name);
    assertInvariant(holder === undefined, `name "${item.name}" is in the table already`);
    this.#byName.delete(before);
    this.#byName.set(item.name, item);
  }
}
