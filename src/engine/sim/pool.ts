/** A pool that touches no storage: records in memory behind the interface of a real one (engine.md §25). */
import { bytes, type Bytes, type Sectors } from "../../units";
import { newPoolUuid, type DevUuid, type FilesystemUuid, type PoolUuid } from "../../uuid";
import type {
  CreateAction,
  DeleteAction,
  GrowAction,
  PropChangeAction,
  RenameAction,
  SetCreateAction,
  SetDeleteAction,
} from "../actions";
import type {
  BlockDev,
  CreateFilesystemRequest,
  EncryptionRequest,
  Filesystem,
  InPlaceProgress,
  MetadataVersion,
  Pool,
  PoolProperty,
  StoppedPool,
  TokenBindings,
  TokenSlotInput,
} from "../engine";
import { EngineError, type ActionAvailability } from "../errors";
import { SharedLock } from "../lock";
import { validatePaths, type IntegritySpec } from "../validation";
import { SimBlockDevs } from "./blockdev";
import { nowInWholeSeconds } from "./clock";
import type { Conditions } from "./conditions";
import { SimFilesystems } from "./filesystem";
import { SimInPlace } from "./in-place";
import { filesystemMetadata, poolMetadata } from "./report";
import { TokenSlots } from "./tokens";

/** 2^60 sectors: more bytes than 64 bits can count, which clients have to cope with. */
const TOTAL_PHYSICAL_SIZE = bytes(2n ** 60n * 512n);
const ALLOCATED_SIZE = bytes(5n * 2n ** 20n * 512n);

export const isEncryptionWanted = ({ keys, clevis }: EncryptionRequest): boolean =>
  keys.length > 0 || clevis.length > 0;

export class SimPool implements Pool {
  readonly uuid: PoolUuid = newPoolUuid();
  readonly metadataVersion: MetadataVersion = 2;
  readonly availableActions: ActionAvailability = "fully_operational";
  /** There is no volume key; clients show that as an alert for encrypted pools. */
  readonly volumeKeyLoaded = false;
  readonly noAllocSpace = false;
  readonly totalPhysicalSize = TOTAL_PHYSICAL_SIZE;
  readonly totalPhysicalUsed: Bytes = bytes(0n);
  readonly allocatedSize = ALLOCATED_SIZE;
  readonly devices = new SimBlockDevs();
  readonly simFilesystems = new SimFilesystems(() => this.name);
  readonly lock = new SharedLock();
  /** Why no operation is possible: the pool is stopped or destroyed; null while it is running. */
  #notRunning: string | null = null;
  #tokens: TokenSlots | null;
  #lastReencrypted: Date | null = null;
  #overprovisioning = true;
  #inPlace: SimInPlace | null = null;

  constructor(
    public name: string,
    dataDevices: readonly string[],
    encryption: EncryptionRequest,
    readonly integrity: IntegritySpec,
    readonly conditions: Conditions,
  ) {
    this.#tokens = isEncryptionWanted(encryption) ? new TokenSlots(encryption) : null;
    this.devices.add(dataDevices, "data");
  }

  get encrypted(): boolean {
    return this.#tokens !== null;
  }
  get encryptionInfo(): TokenBindings | null {
    return this.#tokens?.bindings() ?? null;
  }
  get lastReencrypted(): Date | null {
    return this.#lastReencrypted;
  }
  get inPlace(): InPlaceProgress | null {
    return this.#inPlace;
  }
  get hasCache(): boolean {
    return this.devices.inTier("cache").length > 0;
  }
  get fsLimit(): bigint {
    return this.simFilesystems.limit;
  }
  get overprovisioning(): boolean {
    return this.#overprovisioning;
  }

  filesystems(): readonly Filesystem[] {
    return this.simFilesystems.all();
  }
  getFilesystem(uuid: FilesystemUuid): Filesystem | undefined {
    return this.simFilesystems.get(uuid);
  }
  blockDevs(): readonly BlockDev[] {
    return this.devices.all();
  }
  getBlockDev(uuid: DevUuid): BlockDev | undefined {
    return this.devices.get(uuid);
  }

  /** `how`: "has been stopped"; operations are refused until resume(). */
  retire(how: string): void {
    this.#notRunning = how;
  }
  resume(): void {
    this.#notRunning = null;
  }

  /** What runs in place, if anything does, fails. */
  interrupt(reason: string): void {
    this.#inPlace?.interrupt(reason);
  }

  /** This pool as a stopped one. Unlike a real V2 pool it tells its bindings. `name`: null when it is not unique. */
  stopped(name: string | null): StoppedPool {
    const bindings = this.encryptionInfo;
    const features: StoppedPool["features"] = [];
    if (bindings !== null) features.push("encryption");
    if (bindings !== null && bindings.keys.length > 0) features.push("key_description_present");
    if (bindings !== null && bindings.clevis.length > 0) features.push("clevis_present");
    return {
      uuid: this.uuid,
      name,
      devices: this.devices.all().map(({ devnode, uuid }) => ({ path: devnode, uuid })),
      metadataVersion: this.metadataVersion,
      features,
      encryption: this.#tokens?.legacyInfo() ?? null,
      partiallyConstructed: false,
      reason: null,
    };
  }

  #requireRunning(): void {
    if (this.#notRunning !== null)
      throw new EngineError(`Pool "${this.name}" (UUID ${this.uuid}) ${this.#notRunning}`);
  }

  async #begin(operation: string): Promise<void> {
    this.#requireRunning();
    await this.conditions.begin(operation);
  }

  /** An operation that changes the pool: alone, and all at once when it comes to it. */
  #run<T>(operation: string, work: () => T): Promise<T> {
    return this.lock.exclusive(async () => {
      await this.#begin(operation);
      return work();
    });
  }

  /** An operation that only reads. */
  #read<T>(operation: string, work: () => T): Promise<T> {
    return this.lock.shared(async () => {
      await this.#begin(operation);
      return work();
    });
  }

  /**
   * An operation in place, whose long part runs beside readers. `check` gives false when there is nothing to do; resolves
   * to whether `work` was done.
   */
  async #runLong(
    kind: InPlaceProgress["kind"],
    operation: string,
    check: () => boolean,
    work: () => void,
  ): Promise<boolean> {
    const run = new SimInPlace(kind, ALLOCATED_SIZE, this.conditions.inPlaceSeconds ?? 0);
    const done = await this.lock.phased({
      start: () => {
        this.#requireRunning();
        return Promise.resolve(check() ? true : null);
      },
      long: async () => {
        this.#inPlace = run;
        try {
          await this.conditions.begin(operation);
          await run.work();
        } catch (error) {
          this.#inPlace = null;
          throw error;
        }
      },
      finish: () => {
        this.#inPlace = null;
        work();
        return Promise.resolve(true);
      },
    });
    return done !== null;
  }

  #requireTokens(): TokenSlots {
    if (this.#tokens === null) throw new EngineError(`Pool "${this.name}" is not encrypted`);
    return this.#tokens;
  }

  createFilesystems(requests: CreateFilesystemRequest[]): Promise<SetCreateAction<Filesystem>> {
    return this.#run("CreateFilesystems", () => ({ created: this.simFilesystems.create(requests) }));
  }
  destroyFilesystems(uuids: FilesystemUuid[]): Promise<SetDeleteAction<FilesystemUuid, FilesystemUuid>> {
    return this.#run("DestroyFilesystems", () => this.simFilesystems.destroy(uuids));
  }
  renameFilesystem(uuid: FilesystemUuid, name: string): Promise<RenameAction<FilesystemUuid>> {
    return this.#run("SetName", () => this.simFilesystems.rename(uuid, name));
  }
  snapshotFilesystem(origin: FilesystemUuid, name: string): Promise<CreateAction<Filesystem>> {
    return this.#run("SnapshotFilesystem", () => this.simFilesystems.snapshot(origin, name));
  }
  setFilesystemSizeLimit(
    uuid: FilesystemUuid,
    limit: bigint | null,
  ): Promise<PropChangeAction<Sectors | null>> {
    return this.#run("Set SizeLimit", () => this.simFilesystems.setSizeLimit(uuid, limit));
  }
  setFilesystemMergeScheduled(uuid: FilesystemUuid, scheduled: boolean): Promise<PropChangeAction<boolean>> {
    return this.#run("Set MergeScheduled", () => this.simFilesystems.setMergeScheduled(uuid, scheduled));
  }

  addDataDevs(paths: string[]): Promise<SetCreateAction<DevUuid> & { changed: PoolProperty[] }> {
    return this.#run("AddDataDevs", () => {
      validatePaths(paths);
      this.devices.requireNotInOther(paths, "data");
      return { created: this.devices.add(paths, "data"), changed: [] };
    });
  }

  addCacheDevs(paths: string[]): Promise<SetCreateAction<DevUuid>> {
    return this.#run("AddCacheDevs", () => {
      validatePaths(paths);
      if (!this.hasCache)
        throw new EngineError(
          `No cache has been initialized for pool "${this.name}" with UUID ${this.uuid}; it is therefore impossible ` +
            `to add devices to its cache: ${paths.join(", ")}`,
        );
      this.devices.requireNotInOther(paths, "cache");
      return { created: this.devices.add(paths, "cache") };
    });
  }

  initCache(paths: string[], encryptedAllowed: boolean): Promise<SetCreateAction<DevUuid>> {
    return this.#run("InitCache", () => {
      validatePaths(paths);
      if (this.encrypted && !encryptedAllowed)
        throw new EngineError(`Use of a cache is not supported with an encrypted pool: "${this.name}"`);
      if (this.hasCache) {
        this.#requireSameCache(paths);
        return { created: [] };
      }
      if (paths.length === 0)
        throw new EngineError(
          `At least one blockdev path is required to initialize a cache for pool "${this.name}"`,
        );
      return { created: this.devices.add(paths, "cache") };
    });
  }

  #requireSameCache(paths: readonly string[]): void {
    const existing = this.devices.paths("cache");
    if (new Set(paths).size === existing.length && existing.every((path) => paths.includes(path))) return;
    throw new EngineError(
      `Pool "${this.name}" already has a cache, of ${existing.join(", ")}; it can't be initialized with ` +
        (paths.length === 0 ? "no devices" : paths.join(", ")),
    );
  }

  /** Devices never change their size. */
  growPhysical(): Promise<{ action: GrowAction; changed: PoolProperty[] }> {
    return this.#run("GrowPhysicalDevice", () => ({ action: "identity", changed: [] }));
  }
  setBlockDevUserInfo(device: DevUuid, info: string | null): Promise<RenameAction<DevUuid>> {
    return this.#run("Set UserInfo", () => this.devices.setUserInfo(device, info));
  }
  setFsLimit(limit: bigint): Promise<void> {
    return this.#run("Set FsLimit", () => {
      this.simFilesystems.setLimit(limit);
    });
  }
  setOverprovisioning(enabled: boolean): Promise<void> {
    return this.#run("Set Overprovisioning", () => {
      this.#overprovisioning = enabled;
    });
  }

  metadata(current: boolean): Promise<string> {
    return this.#read("Metadata", () => poolMetadata(this, current));
  }
  /** What is in memory stands for what was last written. */
  filesystemMetadata(name: string | null): Promise<string> {
    return this.#read("FilesystemMetadata", () => filesystemMetadata(this, name));
  }

  bindKeyring(description: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    return this.#run("BindKeyring", () => this.#requireTokens().bind({ kind: "key", description }, slot));
  }
  bindClevis(pin: string, config: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    return this.#run("BindClevis", () => this.#requireTokens().bind({ kind: "clevis", pin, config }, slot));
  }
  rebindKeyring(description: string, slot: number | null): Promise<RenameAction<string>> {
    return this.#run("RebindKeyring", () => this.#requireTokens().rebindKey(description, slot));
  }
  rebindClevis(slot: number | null): Promise<void> {
    return this.#run("RebindClevis", () => {
      this.#requireTokens().rebindClevis(slot);
    });
  }
  unbindKeyring(slot: number | null): Promise<DeleteAction<number>> {
    return this.#run("UnbindKeyring", () => this.#requireTokens().unbind("key", slot));
  }
  unbindClevis(slot: number | null): Promise<DeleteAction<number>> {
    return this.#run("UnbindClevis", () => this.#requireTokens().unbind("clevis", slot));
  }

  async encrypt(request: EncryptionRequest): Promise<CreateAction<true>> {
    let tokens: TokenSlots | null = null;
    const done = await this.#runLong(
      "encrypt",
      "EncryptPool",
      () => {
        if (this.#tokens !== null) return false;
        tokens = new TokenSlots(request);
        return true;
      },
      () => {
        this.#tokens = tokens;
      },
    );
    return done ? { action: "created", value: true } : { action: "identity" };
  }

  async reencrypt(): Promise<void> {
    await this.#runLong(
      "reencrypt",
      "ReencryptPool",
      () => {
        if (this.#tokens === null)
          throw new EngineError(`Cannot reencrypt an unencrypted pool: "${this.name}"`);
        return true;
      },
      () => {
        this.#lastReencrypted = nowInWholeSeconds();
      },
    );
  }

  async decrypt(): Promise<DeleteAction<true>> {
    const done = await this.#runLong(
      "decrypt",
      "DecryptPool",
      () => this.#tokens !== null,
      () => {
        this.#tokens = null;
        this.#lastReencrypted = null;
      },
    );
    return done ? { action: "deleted", value: true } : { action: "identity" };
  }
}
