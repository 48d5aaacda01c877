/** Which objects there are, and which path belongs to which pool, filesystem and block device (dbus-api.md §2). */
import { BASE_PATH } from "./names";
import type { ActionAvailability } from "../engine/errors";
import type { InPlaceProgress, Pool } from "../engine/engine";
import type { DevUuid, FilesystemUuid, PoolUuid } from "../uuid";

export interface ManagerEntry {
  readonly kind: "manager";
  readonly path: string;
}
export interface PoolEntry {
  readonly kind: "pool";
  readonly path: string;
  readonly uuid: PoolUuid;
  readonly filesystems: Map<FilesystemUuid, FilesystemEntry>;
  readonly blockDevs: Map<DevUuid, BlockDevEntry>;
  operation: OperationEntry | null;
  /** What clients were last told. */
  announcedActions: ActionAvailability;
}
export interface FilesystemEntry {
  readonly kind: "filesystem";
  readonly path: string;
  readonly pool: PoolUuid;
  readonly uuid: FilesystemUuid;
}
export interface BlockDevEntry {
  readonly kind: "blockdev";
  readonly path: string;
  readonly pool: PoolUuid;
  readonly uuid: DevUuid;
}
/** An operation in place that runs on a pool. */
export interface OperationEntry {
  readonly kind: "operation";
  readonly path: string;
  readonly pool: PoolUuid;
  readonly operation: InPlaceProgress["kind"];
}
export type ManagedEntry = PoolEntry | FilesystemEntry | BlockDevEntry | OperationEntry;
export type Entry = ManagerEntry | ManagedEntry;

const within = ({ filesystems, blockDevs, operation }: PoolEntry): Exclude<ManagedEntry, PoolEntry>[] => [
  ...filesystems.values(),
  ...blockDevs.values(),
  ...(operation === null ? [] : [operation]),
];

export class ObjectTree {
  readonly manager: ManagerEntry = { kind: "manager", path: BASE_PATH };
  readonly #byPath = new Map<string, ManagedEntry>();
  readonly #pools = new Map<PoolUuid, PoolEntry>();
  /** Never reused in the life of the process. */
  #nextNumber = 0n;

  at(path: string): Entry | undefined {
    return path === BASE_PATH ? this.manager : this.#byPath.get(path);
  }

  pool(uuid: PoolUuid): PoolEntry | undefined {
    return this.#pools.get(uuid);
  }

  pools(): readonly PoolEntry[] {
    return [...this.#pools.values()];
  }

  /** Everything below the base path: pools in order of their making, each followed by what is in it. */
  managed(): readonly ManagedEntry[] {
    return this.pools().flatMap((pool) => [pool, ...within(pool)]);
  }

  addPool(pool: Pool): PoolEntry {
    const entry: PoolEntry = {
      kind: "pool",
      path: this.#newPath(),
      uuid: pool.uuid,
      filesystems: new Map(),
      blockDevs: new Map(),
      operation: null,
      announcedActions: pool.availableActions,
    };
    this.#pools.set(pool.uuid, entry);
    this.#byPath.set(entry.path, entry);
    return entry;
  }

  addFilesystem(pool: PoolEntry, uuid: FilesystemUuid): FilesystemEntry {
    const entry: FilesystemEntry = { kind: "filesystem", path: this.#newPath(), pool: pool.uuid, uuid };
    pool.filesystems.set(uuid, entry);
    this.#byPath.set(entry.path, entry);
    return entry;
  }

  addBlockDev(pool: PoolEntry, uuid: DevUuid): BlockDevEntry {
    const entry: BlockDevEntry = { kind: "blockdev", path: this.#newPath(), pool: pool.uuid, uuid };
    pool.blockDevs.set(uuid, entry);
    this.#byPath.set(entry.path, entry);
    return entry;
  }

  addOperation(pool: PoolEntry, operation: InPlaceProgress["kind"]): OperationEntry {
    const entry: OperationEntry = { kind: "operation", path: this.#newPath(), pool: pool.uuid, operation };
    pool.operation = entry;
    this.#byPath.set(entry.path, entry);
    return entry;
  }

  removeOperation(pool: PoolEntry, entry: OperationEntry): void {
    pool.operation = null;
    this.#byPath.delete(entry.path);
  }

  removeFilesystem(pool: PoolEntry, entry: FilesystemEntry): void {
    pool.filesystems.delete(entry.uuid);
    this.#byPath.delete(entry.path);
  }

  removeBlockDev(pool: PoolEntry, entry: BlockDevEntry): void {
    pool.blockDevs.delete(entry.uuid);
    this.#byPath.delete(entry.path);
  }

  /** Removes a pool and all that is in it; returns what was removed, the pool last. */
  removePool(pool: PoolEntry): readonly ManagedEntry[] {
    const removed = [...within(pool), pool];
    for (const { path } of removed) this.#byPath.delete(path);
    this.#pools.delete(pool.uuid);
    return removed;
  }

  #newPath(): string {
    return `${BASE_PATH}/${this.#nextNumber++}`;
  }
}
