/** A running pool of the real engine: its properties, from memory, and its operations, one at a time. */
import { encodePoolRecord, type DeviceRecord, type PoolRecord } from "../../disk/pool-record";
import { filesystemRecordJson, type FilesystemRecord } from "../../disk/filesystem-record";
import { printJson, type JsonValue } from "../../disk/json";
import type { Secret } from "../../native";
import { metaBlocksToSectors, sectors, sectorsToBytes, type Bytes, type Sectors } from "../../units";
import type { DevUuid, FilesystemUuid, PoolUuid } from "../../uuid";
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
  EngineChange,
  Filesystem,
  InPlaceProgress,
  LegacyEncryptionInfo,
  MetadataVersion,
  Pool,
  PoolProperty,
  TokenBindings,
  TokenSlotInput,
} from "../engine";
import {
  ActionDisabledError,
  EngineError,
  isAtLeast,
  OutOfSpaceError,
  type ActionAvailability,
} from "../errors";
import { SharedLock } from "../lock";
import { validateName } from "../validation";
import { allocatedSize, dataRoom, metadataSize, totalSize } from "./backstore/allocation";
import { checkFilesystems, checkPool } from "./checks";
import type { PoolCore } from "./core";
import { addCacheDevices, initCache } from "./cache-operations";
import { slotBindings, type BindingOperations } from "./crypt-operations";
import { keepingHeaders } from "./crypt/header-backup";
import { addDataDevices, growDevice } from "./device-operations";
import {
  createFilesystems,
  destroyFilesystems,
  fsLimit,
  renameFilesystem,
  setMergeScheduled,
  setSizeLimit,
  snapshotFilesystem,
} from "./filesystem-operations";
import { readLastMetadata } from "./discovery/newest-record";
import { encryptedLayer } from "./in-place";
import { InPlaceOperations } from "./in-place-operations";
import { legacyBindings } from "./legacy-crypt-operations";
import { inErrorMode, planMetaExtension } from "./thinpool/extension";
import { ToldSpace } from "./told-space";

/** Told with the call. What devices take of their own space is told by the next check, with what the pool makes of the rest. */
const CHANGED_BY_DEVICES = ["totalPhysicalSize", "noAllocSpace"] as const;
const UNLOCK_METHODS = "A change of unlock methods";
const BINDINGS: Readonly<Record<MetadataVersion, BindingOperations>> = { 1: legacyBindings, 2: slotBindings };

/** The record with other user info for a device of either tier. */
function withUserInfo(record: PoolRecord, device: DevUuid, userInfo: string | null): PoolRecord {
  const changed = (devices: DeviceRecord[]): DeviceRecord[] =>
    devices.map((entry) => (entry.uuid === device ? { ...entry, userInfo } : entry));
  const { dataTier, cacheTier } = record;
  return {
    ...record,
    dataTier: { ...dataTier, devices: changed(dataTier.devices) },
    cacheTier: cacheTier === null ? null : { ...cacheTier, devices: changed(cacheTier.devices) },
  };
}

export class RealPool implements Pool {
  readonly #lock = new SharedLock();
  /** Set when the pool was stopped or destroyed: operations that waited for it must not go on. */
  #gone: string | null = null;
  #checkWaits = false;
  readonly #inPlace: InPlaceOperations;
  readonly #space: ToldSpace;

  constructor(readonly core: PoolCore) {
    this.#space = new ToldSpace(this);
    this.#inPlace = new InPlaceOperations(core, {
      exclusive: (work) => this.exclusive(work),
      change: (work) => this.#change(work),
    });
  }

  get uuid(): PoolUuid {
    return this.core.uuid;
  }
  get name(): string {
    return this.core.name;
  }
  get metadataVersion(): MetadataVersion {
    return this.core.version;
  }
  /** All of it is: a pool that is being encrypted is not, before the end. */
  get encrypted(): boolean {
    return this.encryptionInfo !== null;
  }
  get encryptionInfo(): LegacyEncryptionInfo | TokenBindings | null {
    return this.core.crypt?.pending === "encrypt" ? null : this.core.encryptionInfo;
  }
  get inPlace(): InPlaceProgress | null {
    return this.core.inPlace;
  }
  get volumeKeyLoaded(): boolean {
    return this.core.crypt?.volumeKeyLoaded ?? false;
  }
  get hasCache(): boolean {
    return this.core.record.cacheTier !== null;
  }
  get availableActions(): ActionAvailability {
    return this.core.availability;
  }
  get lastReencrypted(): Date | null {
    const { lastReencrypt } = this.core.record;
    return lastReencrypt === null ? null : new Date(Number(lastReencrypt) * 1000);
  }
  get totalPhysicalSize(): Bytes {
    return sectorsToBytes(totalSize(this.core.record, this.core.headers));
  }
  get totalPhysicalUsed(): Bytes | null {
    const used = this.core.thinPoolUsed();
    if (used === null) return null;
    return sectorsToBytes(sectors(used + metadataSize(this.core.record, this.core.headers)));
  }
  get allocatedSize(): Bytes {
    return sectorsToBytes(allocatedSize(this.core.record, this.core.headers));
  }
  get noAllocSpace(): boolean {
    return inErrorMode(this.core.record);
  }
  get outOfSpace(): boolean {
    const { status } = this.core;
    return status?.kind === "working" && status.mode === "out_of_data_space";
  }
  get thinMetadata(): { used: Bytes; size: Bytes } | null {
    const { status } = this.core;
    if (status?.kind !== "working") return null;
    return {
      used: sectorsToBytes(metaBlocksToSectors(status.usedMeta)),
      size: sectorsToBytes(metaBlocksToSectors(status.totalMeta)),
    };
  }
  get fsLimit(): bigint {
    return fsLimit(this.core);
  }
  get overprovisioning(): boolean {
    return this.core.record.thinPool.enableOverprov ?? true;
  }

  filesystems(): readonly Filesystem[] {
    return [...this.core.filesystems.values()];
  }
  getFilesystem(uuid: FilesystemUuid): Filesystem | undefined {
    return this.core.filesystems.byUuid(uuid);
  }
  blockDevs(): readonly BlockDev[] {
    return [...this.core.dataDevices(), ...this.core.cacheDevices()];
  }
  getBlockDev(uuid: DevUuid): BlockDev | undefined {
    return this.core.devices.get(uuid);
  }

  /** Some operation is running or waiting. */
  get busy(): boolean {
    return this.#lock.busy;
  }

  /**
   * Runs `work` when no other operation of this pool does. Once the pool is gone, which it may be by then, `gone` says
   * what to do instead; without that it is refused.
   */
  exclusive<T>(work: () => Promise<T>, gone?: () => Promise<T> | null): Promise<T> {
    return this.#lock.exclusive(() => this.#unlessGone(work, gone));
  }

  /** Runs `work`, which only reads, beside others that do; `gone` as for exclusive(). */
  shared<T>(work: () => Promise<T>, gone?: () => Promise<T> | null): Promise<T> {
    return this.#lock.shared(() => this.#unlessGone(work, gone));
  }

  #unlessGone<T>(work: () => Promise<T>, gone?: () => Promise<T> | null): Promise<T> {
    const instead = this.#gone === null ? null : gone?.();
    return instead ?? this.#present(work);
  }

  async #present<T>(work: () => Promise<T>): Promise<T> {
    if (this.#gone !== null) throw new EngineError(`Pool "${this.name}" (UUID ${this.uuid}) ${this.#gone}`);
    return await work();
  }

  /** Only inside exclusive(): the pool's last operation. `how`: "has been destroyed". */
  retire(how: string): void {
    this.#gone = how;
  }

  /** One that changes the LUKS2 header or the layers below the thin pool. */
  #changeBelow<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#change(() => {
      this.#inPlace.requireIdle(what);
      return work();
    });
  }

  /** One that changes the block devices, or their number: of a V1 pool each has a header of its own. */
  #changeDevices<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.metadataVersion === 1 ? this.#changeBelow(what, work) : this.#change(work);
  }

  /** An operation that changes something, refused when the pool's state is at or above `limit`. */
  #change<T>(work: () => Promise<T>, limit: ActionAvailability = "no_ipc_requests"): Promise<T> {
    return this.exclusive(async () => {
      if (isAtLeast(this.core.availability, limit)) throw new ActionDisabledError(this.core.availability);
      try {
        return await work();
      } catch (error) {
        this.core.restrict(error);
        throw error;
      }
    });
  }

  createFilesystems(requests: CreateFilesystemRequest[]): Promise<SetCreateAction<Filesystem>> {
    return this.#change(() => createFilesystems(this.core, requests));
  }
  destroyFilesystems(uuids: FilesystemUuid[]): Promise<SetDeleteAction<FilesystemUuid, FilesystemUuid>> {
    return this.#change(() => destroyFilesystems(this.core, uuids));
  }
  renameFilesystem(uuid: FilesystemUuid, name: string): Promise<RenameAction<FilesystemUuid>> {
    return this.#change(() => renameFilesystem(this.core, uuid, name));
  }
  snapshotFilesystem(origin: FilesystemUuid, name: string): Promise<CreateAction<Filesystem>> {
    return this.#change(() => snapshotFilesystem(this.core, origin, name));
  }
  setFilesystemSizeLimit(
    uuid: FilesystemUuid,
    limit: bigint | null,
  ): Promise<PropChangeAction<Sectors | null>> {
    return this.#change(() => setSizeLimit(this.core, uuid, limit));
  }
  setFilesystemMergeScheduled(uuid: FilesystemUuid, scheduled: boolean): Promise<PropChangeAction<boolean>> {
    return this.#change(() => setMergeScheduled(this.core, uuid, scheduled));
  }

  addDataDevs(paths: string[]): Promise<SetCreateAction<DevUuid> & { changed: PoolProperty[] }> {
    return this.#changeDevices("Adding devices", async () => {
      const { created } = await addDataDevices(this.core, paths);
      return { created, changed: this.#space.take(CHANGED_BY_DEVICES) };
    });
  }
  addCacheDevs(paths: string[]): Promise<SetCreateAction<DevUuid>> {
    return this.#changeBelow("Adding to the cache", () => addCacheDevices(this.core, paths));
  }
  initCache(paths: string[], encryptedAllowed: boolean): Promise<SetCreateAction<DevUuid>> {
    return this.#changeBelow("Putting in a cache", () => {
      if (this.encrypted && !encryptedAllowed)
        throw new EngineError("Use of a cache is not supported with an encrypted pool");
      return initCache(this.core, paths);
    });
  }
  growPhysical(device: DevUuid): Promise<{ action: GrowAction; changed: PoolProperty[] }> {
    return this.#changeDevices("Growing a device", async () => {
      const action = await growDevice(this.core, device);
      return { action, changed: this.#space.take(CHANGED_BY_DEVICES) };
    });
  }
  setBlockDevUserInfo(device: DevUuid, info: string | null): Promise<RenameAction<DevUuid>> {
    return this.#change(async () => {
      const known = this.core.devices.get(device);
      if (known === undefined) return { action: "noSource" };
      if (known.userInfo === info) return { action: "identity" };
      if (this.metadataVersion === 1 && info !== null) validateName(info);
      await this.core.save(withUserInfo(this.core.record, device, info));
      return { action: "renamed", value: device };
    });
  }

  /** The limit can only be raised, as far as the metadata volume has room for records; thin metadata grows for it. */
  setFsLimit(limit: bigint): Promise<void> {
    return this.#change(async () => {
      const { core } = this;
      const current = fsLimit(core);
      if (limit <= current)
        throw new EngineError(
          `New filesystem limit must be greater than the current limit of ${current}; ${limit} is not`,
        );
      const maximum = await core.mdv.maximumRecords();
      if (limit > maximum)
        throw new EngineError(
          `New filesystem limit ${limit} is greater than the maximum of ${maximum} of this pool`,
        );
      await core.refreshStatus();
      const plan = planMetaExtension(core.record, core.headers, core.status, core.logicalSizes(), limit);
      if (plan.kind === "noSpace")
        throw new OutOfSpaceError(
          `Not enough unallocated space available on the pool to extend metadata device: ${plan.why}`,
        );
      const shaped = plan.kind === "grow" ? plan.record : core.record;
      const record = { ...shaped, thinPool: { ...shaped.thinPool, fsLimit: limit } };
      if (plan.kind === "grow") await core.reshape(record, `extended ${plan.what} for ${limit} filesystems`);
      else await core.save(record);
    }, "no_pool_changes");
  }

  setOverprovisioning(enabled: boolean): Promise<void> {
    return this.#change(async () => {
      const { core } = this;
      if (enabled === this.overprovisioning) return;
      if (!enabled) {
        const limit = dataRoom(core.record, core.headers);
        const total = core.logicalSizes();
        if (total > limit)
          throw new EngineError(
            `Cannot disable overprovisioning on pool "${this.name}": its filesystems have ${total} sectors in all, ` +
              `where there is room for ${limit} sectors`,
          );
      }
      await core.save({ ...core.record, thinPool: { ...core.record.thinPool, enableOverprov: enabled } });
      if (enabled) core.outOfMetadataSpace = false;
    }, "no_pool_changes");
  }

  async rename(name: string): Promise<void> {
    validateName(name);
    if (isAtLeast(this.core.availability, "no_pool_changes"))
      throw new ActionDisabledError(this.core.availability);
    const devices = this.core.deviceCrypts();
    if (devices.length > 0)
      this.#inPlace.requireIdle("A change of the name, which is in the devices' headers,");
    try {
      await keepingHeaders(devices, async () => {
        for (const device of devices) await device.setPoolName(name);
        await this.core.save({ ...this.core.record, name });
      });
    } catch (error) {
      this.core.restrict(error);
      throw error;
    }
    await this.core.moveLinks();
  }

  metadata(current: boolean): Promise<string> {
    return this.shared(async () => {
      if (current) return encodePoolRecord({ ...this.core.record, started: true }).toString("utf8");
      return await readLastMetadata(this.core.dataDevices());
    });
  }

  filesystemMetadata(name: string | null, current: boolean): Promise<string> {
    return this.shared(async () => {
      const records = current ? this.core.allRecords() : await this.core.mdv.readAll();
      const wanted = records.filter((record: FilesystemRecord) => name === null || record.name === name);
      const json: Record<string, JsonValue> = Object.fromEntries(
        wanted.map((record) => [record.uuid, filesystemRecordJson(record)]),
      );
      return printJson(json);
    });
  }

  get #bindings(): BindingOperations {
    return BINDINGS[this.metadataVersion];
  }
  bindKeyring(description: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    return this.#changeBelow(UNLOCK_METHODS, () => this.#bindings.bindKeyring(this.core, description, slot));
  }
  bindClevis(pin: string, config: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    return this.#changeBelow(UNLOCK_METHODS, () => this.#bindings.bindClevis(this.core, pin, config, slot));
  }
  rebindKeyring(description: string, slot: number | null): Promise<RenameAction<string>> {
    return this.#changeBelow(UNLOCK_METHODS, () =>
      this.#bindings.rebindKeyring(this.core, description, slot),
    );
  }
  rebindClevis(slot: number | null): Promise<void> {
    return this.#changeBelow(UNLOCK_METHODS, () => this.#bindings.rebindClevis(this.core, slot));
  }
  unbindKeyring(slot: number | null): Promise<DeleteAction<number>> {
    return this.#changeBelow(UNLOCK_METHODS, () => this.#bindings.unbind(this.core, "key", slot));
  }
  unbindClevis(slot: number | null): Promise<DeleteAction<number>> {
    return this.#changeBelow(UNLOCK_METHODS, () => this.#bindings.unbind(this.core, "clevis", slot));
  }
  /** A key was set. A pool that is bound to it, and whose volume key is not loaded, loads it. */
  async keyArrived(description: string): Promise<void> {
    const layer = encryptedLayer(this.core);
    if (layer?.tokens.some((token) => token.kind === "key" && token.description === description) !== true)
      return;
    const { crypt } = this.core;
    if (layer.pending !== null) this.resumeInPlace(null);
    else if (crypt?.volumeKeyLoaded === false) await this.exclusive(() => crypt.loadVolumeKey());
  }

  /** Goes on with an operation in place that was interrupted. `passphrase`: that the pool was opened with. */
  resumeInPlace(passphrase: Secret | null): void {
    this.#inPlace.resume(passphrase);
  }

  async encrypt(request: EncryptionRequest): Promise<CreateAction<true>> {
    const done = await this.#inPlace.encrypt(request);
    return done ? { action: "created", value: true } : { action: "identity" };
  }
  reencrypt(): Promise<void> {
    return this.#inPlace.reencrypt();
  }
  async decrypt(): Promise<DeleteAction<true>> {
    const done = await this.#inPlace.decrypt();
    return done ? { action: "deleted", value: true } : { action: "identity" };
  }

  /** Thin pool and filesystems looked at and grown where they need it. A check that waits its turn stands for all. */
  check(): Promise<EngineChange[]> {
    if (this.#checkWaits) return Promise.resolve([]);
    this.#checkWaits = true;
    return this.exclusive(async () => {
      this.#checkWaits = false;
      const told = this.#inPlace.takeChanges();
      if (isAtLeast(this.core.restriction, "no_pool_changes")) return told;
      if (this.core.inPlace !== null) told.push({ change: "pool", uuid: this.uuid, properties: ["inPlace"] });
      let { availability } = this.core;
      await checkPool(this.core);
      const changed = this.#space.take();
      if (this.core.availability !== availability) changed.unshift("availableActions");
      if (changed.length > 0) told.push({ change: "pool", uuid: this.uuid, properties: changed });
      ({ availability } = this.core);
      told.push(...(await checkFilesystems(this.core)));
      if (this.core.availability !== availability)
        told.push({ change: "pool", uuid: this.uuid, properties: ["availableActions"] });
      return told;
    });
  }
}
