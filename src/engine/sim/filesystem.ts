/** Filesystems of a simulated pool: records in memory, checked by the same rules as real ones (engine.md §19, §20, §25). */
import { bytes, sectorsToBytes, type Bytes, type Sectors } from "../../units";
import { newFilesystemUuid, type FilesystemUuid } from "../../uuid";
import type { CreateAction, PropChangeAction, RenameAction, SetDeleteAction } from "../actions";
import type { CreateFilesystemRequest, Filesystem } from "../engine";
import { EngineError } from "../errors";
import { validateFilesystemRequests } from "../requests";
import { checkDestroy, checkSchedule, originsAfterDestroy } from "../revert";
import { NamedTable } from "../table";
import { validateFilesystemSize, validateName } from "../validation";
import { nowInWholeSeconds } from "./clock";

interface FilesystemState {
  name: string;
  size: Sectors;
  sizeLimit: Sectors | null;
  origin: FilesystemUuid | null;
}

export class SimFilesystem implements Filesystem {
  readonly uuid: FilesystemUuid = newFilesystemUuid();
  readonly created = nowInWholeSeconds();
  mergeScheduled = false;

  constructor(
    readonly state: FilesystemState,
    readonly poolName: () => string,
  ) {}

  get name(): string {
    return this.state.name;
  }
  get mountPath(): string {
    return `/somepath/${this.poolName()}/${this.name}`;
  }
  get size(): Bytes {
    return sectorsToBytes(this.state.size);
  }
  /** Half of it, for clients to have something to show. */
  get used(): Bytes {
    return bytes(this.size / 2n);
  }
  get sizeLimit(): Bytes | null {
    return this.state.sizeLimit === null ? null : sectorsToBytes(this.state.sizeLimit);
  }
  get origin(): FilesystemUuid | null {
    return this.state.origin;
  }
}

export class SimFilesystems {
  readonly #table = new NamedTable<FilesystemUuid, SimFilesystem>();
  limit = 10n;

  constructor(readonly poolName: () => string) {}

  get size(): number {
    return this.#table.size;
  }
  all(): SimFilesystem[] {
    return [...this.#table.values()];
  }
  get(uuid: FilesystemUuid): SimFilesystem | undefined {
    return this.#table.byUuid(uuid);
  }

  #require(uuid: FilesystemUuid): SimFilesystem {
    const filesystem = this.#table.byUuid(uuid);
    if (filesystem === undefined)
      throw new EngineError(`No filesystem with UUID ${uuid} in pool "${this.poolName()}"`);
    return filesystem;
  }

  #enter(state: FilesystemState): SimFilesystem {
    const filesystem = new SimFilesystem(state, this.poolName);
    this.#table.insert(filesystem);
    return filesystem;
  }

  create(requests: readonly CreateFilesystemRequest[]): SimFilesystem[] {
    const existing = this.all().map(({ name, state }) => ({ name, size: state.size }));
    // There is always room: the simulator's pools do not run full, even with overprovisioning off.
    const missing = validateFilesystemRequests(requests, existing, this.limit, () => undefined);
    return missing.map(({ name, size, sizeLimit }) => this.#enter({ name, size, sizeLimit, origin: null }));
  }

  destroy(uuids: readonly FilesystemUuid[]): SetDeleteAction<FilesystemUuid, FilesystemUuid> {
    const doomed = new Set(uuids.filter((uuid) => this.#table.byUuid(uuid) !== undefined));
    checkDestroy(this.all(), doomed);
    const origins = originsAfterDestroy(this.all(), doomed);
    for (const [uuid, origin] of origins) this.#require(uuid).state.origin = origin;
    for (const uuid of doomed) this.#table.remove(uuid);
    return { deleted: [...doomed], updated: [...origins.keys()] };
  }

  rename(uuid: FilesystemUuid, name: string): RenameAction<FilesystemUuid> {
    validateName(name);
    const filesystem = this.#table.byUuid(uuid);
    if (filesystem === undefined) return { action: "noSource" };
    if (filesystem.name === name) return { action: "identity" };
    if (this.#table.byName(name) !== undefined)
      throw new EngineError(
        `Failed to rename filesystem "${filesystem.name}" of pool "${this.poolName()}": Entry with name ${name} already exists`,
      );
    this.#table.rename(uuid, () => {
      filesystem.state.name = name;
    });
    return { action: "renamed", value: uuid };
  }

  snapshot(originUuid: FilesystemUuid, name: string): CreateAction<Filesystem> {
    if (BigInt(this.size) + 1n > this.limit)
      throw new EngineError(
        `The pool limit of ${this.limit} filesystems has already been reached: it has ${this.size}`,
      );
    validateName(name);
    const origin = this.#require(originUuid);
    const known = this.#table.byName(name);
    if (known === undefined)
      return { action: "created", value: this.#enter({ ...origin.state, name, origin: origin.uuid }) };
    if (known.state.size === origin.state.size) return { action: "identity" };
    throw new EngineError(
      `Failed to make snapshot "${name}" of "${origin.name}": a filesystem of that name has ${known.size} bytes, ` +
        `where the origin has ${origin.size} bytes`,
    );
  }

  setSizeLimit(uuid: FilesystemUuid, limit: bigint | null): PropChangeAction<Sectors | null> {
    const filesystem = this.#require(uuid);
    const sizeLimit = limit === null ? null : validateFilesystemSize(limit, "Filesystem size limit");
    if (sizeLimit !== null && sizeLimit < filesystem.state.size)
      throw new EngineError(
        `Limit requested of ${sectorsToBytes(sizeLimit)} bytes is smaller than the current size of ` +
          `${filesystem.size} bytes of filesystem "${filesystem.name}"`,
      );
    if (sizeLimit === filesystem.state.sizeLimit) return { action: "identity" };
    filesystem.state.sizeLimit = sizeLimit;
    return { action: "newValue", value: sizeLimit };
  }

  /** The revert itself never happens here: a pool that is stopped and started has its filesystems as they were. */
  setMergeScheduled(uuid: FilesystemUuid, scheduled: boolean): PropChangeAction<boolean> {
    const filesystem = this.#require(uuid);
    if (!checkSchedule(this.all(), filesystem, scheduled)) return { action: "identity" };
    filesystem.mergeScheduled = scheduled;
    return { action: "newValue", value: scheduled };
  }

  /** The limit can only be raised; unlike a real pool's it has no upper bound. */
  setLimit(limit: bigint): void {
    if (limit <= this.limit)
      throw new EngineError(
        `New filesystem limit must be greater than the current limit of ${this.limit}; ${limit} is not`,
      );
    this.limit = limit;
  }
}
