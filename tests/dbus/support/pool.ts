/** A pool of the engine in memory: filesystems, block devices, bindings. All of it can be set by tests. */
import type {
  CreateAction,
  DeleteAction,
  GrowAction,
  PropChangeAction,
  RenameAction,
  SetCreateAction,
  SetDeleteAction,
} from "../../../src/engine/actions";
import type {
  BlockDev,
  BlockDevTier,
  CreateFilesystemRequest,
  EncryptionRequest,
  Filesystem,
  LegacyEncryptionInfo,
  MetadataVersion,
  Pool,
  PoolProperty,
  StoppedPool,
  TokenBindings,
  TokenSlotInput,
} from "../../../src/engine/engine";
import { ActionDisabledError, EngineError, type ActionAvailability } from "../../../src/engine/errors";
import { validateFilesystemSize, validateName, validatePaths } from "../../../src/engine/validation";
import { bytes, sectorsToBytes, type Bytes, type Sectors } from "../../../src/units";
import {
  newDevUuid,
  newFilesystemUuid,
  type DevUuid,
  type FilesystemUuid,
  type PoolUuid,
} from "../../../src/uuid";
import type { Script } from "./script";

const TEBIBYTE = 1n << 40n;
const GIBIBYTE = 1n << 30n;
const TOKEN_SLOTS = 15;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class MemoryPool implements Pool {
  metadataVersion: MetadataVersion = 2;
  availableActions: ActionAvailability = "fully_operational";
  encryptionInfo: LegacyEncryptionInfo | TokenBindings | null = null;
  volumeKeyLoaded: boolean | Error = false;
  lastReencrypted: Date | null = null;
  inPlace: Pool["inPlace"] = null;
  totalPhysicalUsed: Bytes | null = bytes(0n);
  allocatedSize = bytes(2684354560n);
  noAllocSpace = false;
  fsLimit = 10n;
  overprovisioning = true;
  /** StopPool answers that device-mapper devices were left over. */
  leavesDevices = false;
  readonly #filesystems = new Map<FilesystemUuid, Mutable<Filesystem>>();
  readonly #devices = new Map<DevUuid, Mutable<BlockDev>>();

  constructor(
    readonly uuid: PoolUuid,
    public name: string,
    devices: string[],
    readonly script: Script,
  ) {
    for (const device of new Set(devices)) this.#addDevice(device, "data");
  }

  get encrypted(): boolean {
    return this.encryptionInfo !== null;
  }

  get hasCache(): boolean {
    return this.blockDevs().some(({ tier }) => tier === "cache");
  }

  get totalPhysicalSize(): Bytes {
    return bytes(this.#ofTier("data").reduce((sum, { size }) => sum + size, 0n));
  }

  asStopped(): StoppedPool {
    const info = this.encryptionInfo;
    return {
      uuid: this.uuid,
      name: this.name,
      devices: this.blockDevs().map(({ devnode, uuid }) => ({ path: devnode, uuid })),
      metadataVersion: this.metadataVersion,
      features: info === null ? [] : ["encryption"],
      encryption: info === null || "keys" in info ? null : info,
      partiallyConstructed: false,
      reason: null,
    };
  }

  filesystems(): readonly Mutable<Filesystem>[] {
    return [...this.#filesystems.values()];
  }

  getFilesystem(uuid: FilesystemUuid): Mutable<Filesystem> | undefined {
    return this.#filesystems.get(uuid);
  }

  blockDevs(): readonly Mutable<BlockDev>[] {
    return [...this.#devices.values()];
  }

  getBlockDev(uuid: DevUuid): Mutable<BlockDev> | undefined {
    return this.#devices.get(uuid);
  }

  addFilesystem(name: string, size = TEBIBYTE, origin: FilesystemUuid | null = null): Mutable<Filesystem> {
    const filesystem: Mutable<Filesystem> = {
      uuid: newFilesystemUuid(),
      name,
      mountPath: `/somepath/${this.name}/${name}`,
      created: new Date("2026-01-31T12:00:00Z"),
      size: bytes(size),
      used: bytes(size / 2n),
      sizeLimit: null,
      origin,
      mergeScheduled: false,
    };
    this.#filesystems.set(filesystem.uuid, filesystem);
    return filesystem;
  }

  async createFilesystems(requests: CreateFilesystemRequest[]): Promise<SetCreateAction<Filesystem>> {
    await this.#begin("createFilesystems");
    const created: Filesystem[] = [];
    for (const { name, size, sizeLimit } of requests) {
      const wanted = sectorsToBytes(validateFilesystemSize(size ?? TEBIBYTE, "Filesystem size"));
      validateName(name);
      const existing = this.filesystems().find((filesystem) => filesystem.name === name);
      if (existing !== undefined && existing.size !== wanted)
        throw new EngineError(`Filesystem ${name} exists with another size`);
      if (existing !== undefined) continue;
      const filesystem = this.addFilesystem(name, wanted);
      filesystem.sizeLimit = sizeLimit === null ? null : bytes(sizeLimit);
      created.push(filesystem);
    }
    return { created };
  }

  async destroyFilesystems(
    uuids: FilesystemUuid[],
  ): Promise<SetDeleteAction<FilesystemUuid, FilesystemUuid>> {
    await this.#begin("destroyFilesystems");
    const updated: FilesystemUuid[] = [];
    const deleted = uuids.filter((uuid) => this.#filesystems.has(uuid));
    for (const uuid of deleted) this.removeFilesystem(uuid, updated);
    return { deleted, updated: updated.filter((uuid) => !deleted.includes(uuid)) };
  }

  removeFilesystem(uuid: FilesystemUuid, updated: FilesystemUuid[] = []): void {
    const origin = this.#filesystems.get(uuid)?.origin ?? null;
    this.#filesystems.delete(uuid);
    for (const snapshot of this.#filesystems.values()) {
      if (snapshot.origin !== uuid) continue;
      snapshot.origin = origin;
      updated.push(snapshot.uuid);
    }
  }

  async renameFilesystem(uuid: FilesystemUuid, name: string): Promise<RenameAction<FilesystemUuid>> {
    await this.#begin("renameFilesystem");
    validateName(name);
    const filesystem = this.#filesystems.get(uuid);
    if (filesystem === undefined) return { action: "noSource" };
    if (filesystem.name === name) return { action: "identity" };
    if (this.filesystems().some((other) => other.name === name))
      throw new EngineError(`Entry with name ${name} already exists`);
    filesystem.name = name;
    filesystem.mountPath = `/somepath/${this.name}/${name}`;
    return { action: "renamed", value: uuid };
  }

  async snapshotFilesystem(origin: FilesystemUuid, name: string): Promise<CreateAction<Filesystem>> {
    await this.#begin("snapshotFilesystem");
    validateName(name);
    const source = this.#filesystems.get(origin);
    if (source === undefined) throw new EngineError(`No filesystem with uuid ${origin} in pool ${this.name}`);
    if (this.filesystems().some((other) => other.name === name)) return { action: "identity" };
    return { action: "created", value: this.addFilesystem(name, source.size, origin) };
  }

  async setFilesystemSizeLimit(
    uuid: FilesystemUuid,
    limit: bigint | null,
  ): Promise<PropChangeAction<Sectors | null>> {
    await this.#begin("setFilesystemSizeLimit");
    const filesystem = this.#requireFilesystem(uuid);
    const sectors = limit === null ? null : validateFilesystemSize(limit, "Filesystem size limit");
    if (limit !== null && limit < filesystem.size) throw new EngineError("Limit is below the current size");
    if (filesystem.sizeLimit === limit) return { action: "identity" };
    filesystem.sizeLimit = limit === null ? null : bytes(limit);
    return { action: "newValue", value: sectors };
  }

  async setFilesystemMergeScheduled(
    uuid: FilesystemUuid,
    scheduled: boolean,
  ): Promise<PropChangeAction<boolean>> {
    await this.#begin("setFilesystemMergeScheduled");
    const filesystem = this.#requireFilesystem(uuid);
    if (filesystem.origin === null) throw new EngineError(`Filesystem ${filesystem.name} has no origin`);
    if (filesystem.mergeScheduled === scheduled) return { action: "identity" };
    filesystem.mergeScheduled = scheduled;
    return { action: "newValue", value: scheduled };
  }

  async addDataDevs(paths: string[]): Promise<SetCreateAction<DevUuid> & { changed: PoolProperty[] }> {
    await this.#begin("addDataDevs");
    const created = this.#addDevices(paths, "data");
    return { created, changed: created.length > 0 ? ["totalPhysicalSize", "noAllocSpace"] : [] };
  }

  async addCacheDevs(paths: string[]): Promise<SetCreateAction<DevUuid>> {
    await this.#begin("addCacheDevs");
    if (!this.hasCache)
      throw new EngineError(`No cache has been initialized for pool with UUID ${this.uuid}`);
    return { created: this.#addDevices(paths, "cache") };
  }

  async initCache(paths: string[], encryptedAllowed: boolean): Promise<SetCreateAction<DevUuid>> {
    await this.#begin("initCache");
    if (this.encrypted && !encryptedAllowed)
      throw new EngineError("Use of a cache is not supported with an encrypted pool");
    return { created: this.#addDevices(paths, "cache") };
  }

  async growPhysical(device: DevUuid): Promise<{ action: GrowAction; changed: PoolProperty[] }> {
    await this.#begin("growPhysical");
    const found = this.#devices.get(device);
    if (found === undefined) throw new EngineError(`No block device with uuid ${device}`);
    if (found.newSize === null) return { action: "identity", changed: [] };
    found.size = found.newSize;
    found.newSize = null;
    return { action: "grown", changed: ["totalPhysicalSize"] };
  }

  async setBlockDevUserInfo(device: DevUuid, info: string | null): Promise<RenameAction<DevUuid>> {
    await this.#begin("setBlockDevUserInfo");
    const found = this.#devices.get(device);
    if (found === undefined) return { action: "noSource" };
    if (info !== null) validateName(info);
    if (found.userInfo === info) return { action: "identity" };
    found.userInfo = info;
    return { action: "renamed", value: device };
  }

  async setFsLimit(limit: bigint): Promise<void> {
    await this.#begin("setFsLimit");
    if (limit <= this.fsLimit)
      throw new EngineError("New filesystem limit must be greater than the current limit");
    this.fsLimit = limit;
  }

  async setOverprovisioning(enabled: boolean): Promise<void> {
    await this.#begin("setOverprovisioning");
    this.overprovisioning = enabled;
  }

  async metadata(current: boolean): Promise<string> {
    await this.script.begin("metadata");
    return JSON.stringify({ name: current ? this.name : "<name>" });
  }

  async filesystemMetadata(name: string | null): Promise<string> {
    await this.script.begin("filesystemMetadata");
    const chosen = this.filesystems().filter((filesystem) => name === null || filesystem.name === name);
    return JSON.stringify(Object.fromEntries(chosen.map((filesystem) => [filesystem.uuid, filesystem.name])));
  }

  async bindKeyring(description: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    await this.#begin("bindKeyring");
    const info = this.#bindings();
    if (info.keys.some((key) => key.description === description)) return { action: "identity" };
    if (slot === "legacy" && info.keys.length > 0) throw new EngineError("Pool has another key binding");
    const chosen = this.#take(typeof slot === "number" ? slot : null);
    info.keys.push({ slot: chosen, description });
    return { action: "created", value: chosen };
  }

  async bindClevis(pin: string, config: string, slot: TokenSlotInput): Promise<CreateAction<number>> {
    await this.#begin("bindClevis");
    const info = this.#bindings();
    if (slot === "legacy" && info.clevis.length > 0) return { action: "identity" };
    const chosen = this.#take(typeof slot === "number" ? slot : null);
    info.clevis.push({ slot: chosen, pin, config });
    return { action: "created", value: chosen };
  }

  async rebindKeyring(description: string, slot: number | null): Promise<RenameAction<string>> {
    await this.#begin("rebindKeyring");
    const key = this.#bindings().keys.find((binding) => slot === null || binding.slot === slot);
    if (key === undefined) return { action: "noSource" };
    if (key.description === description) return { action: "identity" };
    key.description = description;
    return { action: "renamed", value: description };
  }

  async rebindClevis(slot: number | null): Promise<void> {
    await this.#begin("rebindClevis");
    if (!this.#bindings().clevis.some((binding) => slot === null || binding.slot === slot))
      throw new EngineError("No Clevis binding to rebind");
  }

  async unbindKeyring(slot: number | null): Promise<DeleteAction<number>> {
    await this.#begin("unbindKeyring");
    return this.#unbind(this.#bindings().keys, slot);
  }

  async unbindClevis(slot: number | null): Promise<DeleteAction<number>> {
    await this.#begin("unbindClevis");
    return this.#unbind(this.#bindings().clevis, slot);
  }

  async encrypt(request: EncryptionRequest): Promise<CreateAction<true>> {
    await this.#begin("encrypt");
    if (this.encrypted) return { action: "identity" };
    this.setEncryption(request);
    return { action: "created", value: true };
  }

  async reencrypt(): Promise<void> {
    await this.#begin("reencrypt");
    if (!this.encrypted) throw new EngineError("Cannot reencrypt an unencrypted pool");
    this.lastReencrypted = new Date("2026-02-01T00:00:00Z");
  }

  async decrypt(): Promise<DeleteAction<true>> {
    await this.#begin("decrypt");
    if (!this.encrypted) return { action: "identity" };
    this.encryptionInfo = null;
    this.lastReencrypted = null;
    return { action: "deleted", value: true };
  }

  setEncryption({ keys, clevis }: EncryptionRequest): void {
    if (keys.length === 0 && clevis.length === 0) return;
    const info: TokenBindings = { keys: [], clevis: [], freeSlots: TOKEN_SLOTS };
    this.encryptionInfo = info;
    for (const { slot, description } of keys) info.keys.push({ slot: this.#take(slot), description });
    for (const { slot, pin, config } of clevis) info.clevis.push({ slot: this.#take(slot), pin, config });
  }

  async #begin(operation: string): Promise<void> {
    if (this.availableActions !== "fully_operational") throw new ActionDisabledError(this.availableActions);
    await this.script.begin(operation);
  }

  #bindings(): TokenBindings {
    const info = this.encryptionInfo;
    if (info === null || !("keys" in info)) throw new EngineError(`Pool ${this.name} has no token slots`);
    return info;
  }

  #take(wanted: number | null): number {
    const info = this.#bindings();
    const used = new Set([...info.keys, ...info.clevis].map(({ slot }) => slot));
    let slot = wanted ?? 0;
    while (wanted === null && used.has(slot)) slot++;
    if (used.has(slot) || slot > TOKEN_SLOTS) throw new EngineError(`Token slot ${slot} is not free`);
    info.freeSlots--;
    return slot;
  }

  #unbind(bindings: { slot: number }[], slot: number | null): DeleteAction<number> {
    const index = bindings.findIndex((binding) => slot === null || binding.slot === slot);
    const [removed] = index === -1 ? [] : bindings.splice(index, 1);
    if (removed === undefined) return { action: "identity" };
    this.#bindings().freeSlots++;
    return { action: "deleted", value: removed.slot };
  }

  #ofTier(tier: BlockDevTier): readonly BlockDev[] {
    return this.blockDevs().filter((device) => device.tier === tier);
  }

  #requireFilesystem(uuid: FilesystemUuid): Mutable<Filesystem> {
    const filesystem = this.#filesystems.get(uuid);
    if (filesystem === undefined) throw new EngineError(`No filesystem with uuid ${uuid}`);
    return filesystem;
  }

  #addDevices(paths: string[], tier: BlockDevTier): DevUuid[] {
    validatePaths(paths);
    const known = new Set(this.#ofTier(tier).map(({ devnode }) => devnode));
    return [...new Set(paths)].filter((path) => !known.has(path)).map((path) => this.#addDevice(path, tier));
  }

  #addDevice(path: string, tier: BlockDevTier): DevUuid {
    const uuid = newDevUuid();
    this.#devices.set(uuid, {
      uuid,
      tier,
      devnode: path,
      physicalPath: path,
      userInfo: null,
      hardwareInfo: null,
      initializationTime: new Date("2026-01-31T12:00:00Z"),
      size: bytes(GIBIBYTE),
      newSize: null,
    });
    return uuid;
  }
}
