/**
 * The state of a running pool and the few ways to change it. Everything above (src/engine/real/pool.ts and the modules
 * of its operations) goes through here, so that the record on disk is always written before the kernel follows it.
 */
import { setImmediate as othersTurn } from "node:timers/promises";
import type { FilesystemRecord } from "../../disk/filesystem-record";
import { memberRecords, type DeviceRecord, type PoolRecord } from "../../disk/pool-record";
import type { StaticHeader } from "../../disk/static-header";
import * as names from "../../dm/names";
import { dmStatusLine } from "../../dm/operations";
import { parseThinPoolStatus, type ThinPoolStatus } from "../../dm/thin-pool";
import { logger } from "../../log";
import { sectors, sumSectors, dataBlocksToSectors, type Sectors } from "../../units";
import type { DevUuid, FilesystemUuid, PoolUuid } from "../../uuid";
import type { LegacyEncryptionInfo, TokenBindings } from "../engine";
import {
  assertInvariant,
  errorText,
  isAtLeast,
  levelOf,
  RollbackError,
  type ActionAvailability,
} from "../errors";
import type { OriginAndMerge } from "../revert";
import { NamedTable } from "../table";
import type { UndoStack } from "../undo";
import type { MetadataStore } from "./backstore/metadata-store";
import { segmentsLength } from "./backstore/tables";
import type { RealBlockDev } from "./blockdev";
import type { DeviceCrypt } from "./crypt/device-crypt";
import { legacyInfo } from "./crypt/legacy-info";
import type { PoolCrypt } from "./crypt/pool-crypt";
import { bindingsOf } from "./crypt/tokens";
import type { RealFilesystem } from "./filesystem";
import type { InPlaceRun } from "./in-place-run";
import { wasTakenBack } from "./taken-back";
import type { MetadataVolume } from "./thinpool/mdv";
import type { PoolStack, StackNumbers } from "./thinpool/stack";
import type { ThinDevices } from "./thinpool/thin-devices";
import { isLinked, type LinkNames, type LinkNotifier } from "./uevent";

const log = logger("stratisd::engine::pool");

/**
 * What a thin pool in this state permits. With metadata that can only be read, nothing can be made, removed or grown
 * in it; one that failed answers nothing. A new start checks and repairs its metadata.
 */
function availabilityOf(status: ThinPoolStatus | null): ActionAvailability {
  if (status === null) return "fully_operational";
  if (status.kind !== "working") return "no_pool_changes";
  return status.mode === "ro" ? "no_ipc_requests" : "fully_operational";
}

export interface PoolParts {
  uuid: PoolUuid;
  record: PoolRecord;
  devices: Map<DevUuid, RealBlockDev>;
  store: MetadataStore;
  stack: PoolStack;
  numbers: StackNumbers;
  mdv: MetadataVolume;
  thin: ThinDevices;
  links: LinkNotifier;
  /** null: not encrypted, or V1. */
  crypt: PoolCrypt | null;
}

const linkNames = (pool: { name: string }, filesystem: RealFilesystem): LinkNames => ({
  pool: pool.name,
  filesystem: filesystem.name,
});

export class PoolCore {
  readonly uuid: PoolUuid;
  readonly devices: Map<DevUuid, RealBlockDev>;
  readonly store: MetadataStore;
  readonly stack: PoolStack;
  /** Of the kernel's devices. */
  numbers: StackNumbers;
  readonly mdv: MetadataVolume;
  readonly thin: ThinDevices;
  readonly links: LinkNotifier;
  /** The LUKS2 layer of a V2 pool. */
  crypt: PoolCrypt | null;
  readonly filesystems = new NamedTable<FilesystemUuid, RealFilesystem>();
  /** Records of filesystems that could not be set up: they keep their names and thin ids. */
  readonly unusable: FilesystemRecord[] = [];
  /** What the pool permits for reasons that only a new start can take away. */
  restriction: ActionAvailability = "fully_operational";
  /** No device took the record when it was last saved. */
  unrecordable = false;
  /** As of the last look; null before the first. */
  status: ThinPoolStatus | null = null;
  /** Thin metadata could not grow; not tried again until space may have come. */
  outOfMetadataSpace = false;
  /** Its devices are being closed or wiped: that they go is no news. */
  isEnding = false;
  /** The operation in place that is running. */
  inPlace: InPlaceRun | null = null;
  #record: PoolRecord;

  constructor(parts: PoolParts) {
    this.uuid = parts.uuid;
    this.devices = parts.devices;
    this.store = parts.store;
    this.stack = parts.stack;
    this.numbers = parts.numbers;
    this.mdv = parts.mdv;
    this.thin = parts.thin;
    this.links = parts.links;
    this.crypt = parts.crypt;
    this.#record = parts.record;
  }

  get record(): PoolRecord {
    return this.#record;
  }

  get name(): string {
    return this.#record.name;
  }

  get headers(): Map<DevUuid, StaticHeader> {
    return new Map([...this.devices].map(([uuid, device]) => [uuid, device.header]));
  }

  /** Version of the pool's metadata. */
  get version(): 1 | 2 {
    return this.stack.backstore.layout.version;
  }

  /** What the pool permits now: what the strictest of all reasons leaves. */
  get availability(): ActionAvailability {
    const byRecord = this.unrecordable ? "no_ipc_requests" : "fully_operational";
    const levels: ActionAvailability[] = [availabilityOf(this.status), byRecord];
    return levels.reduce(
      (strictest, level) => (isAtLeast(level, strictest) ? level : strictest),
      this.restriction,
    );
  }

  /** Makes a device known that is becoming a member; `undo` forgets it. */
  addDevice(device: RealBlockDev, undo: UndoStack): void {
    this.devices.set(device.uuid, device);
    undo.push(`forget ${device.physicalPath}`, () => {
      this.devices.delete(device.uuid);
      return Promise.resolve();
    });
  }

  /** Data devices in the order of the record. */
  dataDevices(record: PoolRecord = this.#record): RealBlockDev[] {
    return record.dataTier.devices.map((device) => this.#device(device));
  }

  /** Cache devices in the order of the record. */
  cacheDevices(record: PoolRecord = this.#record): RealBlockDev[] {
    return (record.cacheTier?.devices ?? []).map((device) => this.#device(device));
  }

  /** The LUKS2 layers of an encrypted V1 pool's devices, in the order of the record; empty for any other pool. */
  deviceCrypts(): DeviceCrypt[] {
    return [...this.dataDevices(), ...this.cacheDevices()].flatMap(({ crypt }) => crypt ?? []);
  }

  get encryptionInfo(): LegacyEncryptionInfo | TokenBindings | null {
    if (this.crypt !== null) return bindingsOf(this.crypt.tokens, this.crypt.foreignTokens.length);
    const devices = this.deviceCrypts();
    return devices.length === 0 ? null : legacyInfo(devices);
  }

  #device({ uuid }: DeviceRecord): RealBlockDev {
    const device = this.devices.get(uuid);
    assertInvariant(device !== undefined, `device ${uuid} of pool ${this.uuid} is not known`);
    return device;
  }

  /** Puts the record on disk, then in memory, with the features that the pool has. */
  async save(changed: PoolRecord): Promise<void> {
    const record = this.crypt === null ? changed : { ...changed, features: this.crypt.features };
    try {
      await this.store.save(this.dataDevices(record), record);
      this.unrecordable = false;
    } catch (error) {
      this.unrecordable = true;
      throw error;
    }
    this.#record = record;
    for (const device of memberRecords(record)) {
      const known = this.devices.get(device.uuid);
      if (known !== undefined) known.record = device;
    }
  }

  /**
   * Saves a record with more space, or with other thin-pool features, and makes the kernel follow it. When the kernel
   * refuses, the previous record is saved again; if that fails too, or the kernel does not go back, the pool takes no
   * more changes.
   */
  async reshape(record: PoolRecord, what: string): Promise<void> {
    const previous = this.#record;
    const movesBelow = record.dataTier.allocations !== previous.dataTier.allocations;
    if (movesBelow) await this.crypt?.requireResizable();
    await this.save(record);
    try {
      const started = performance.now();
      const follow = (): Promise<StackNumbers> =>
        this.stack.reshape(previous, record, this.numbers, this.crypt);
      this.numbers =
        this.inPlace === null || !movesBelow ? await follow() : await this.inPlace.pausedFor(follow);
      log.info(`Pool "${this.name}": ${what}, in ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      log.warn(`Pool "${this.name}": failed: ${what}: ${errorText(error)}`);
      try {
        await this.save(previous);
      } catch (rollbackError) {
        throw this.#unableToGoBack(error, rollbackError);
      }
      if (!wasTakenBack(error))
        throw this.#unableToGoBack(error, "its devices are not what they were before");
      throw error;
    }
  }

  #unableToGoBack(cause: unknown, rollback: unknown): RollbackError {
    const error = new RollbackError(cause, rollback, "no_pool_changes");
    this.restrict(error);
    return error;
  }

  /** The pool permits no more than an error of one of its operations asks for. */
  restrict(error: unknown): void {
    const level = levelOf(error);
    if (isAtLeast(level, this.restriction)) this.restriction = level;
  }

  /**
   * The thin pool writes its metadata before it tells, which shows whether they can be written. `atOnce`: it does not,
   * because a pool under a writer has much to write.
   */
  async refreshStatus({ atOnce = false } = {}): Promise<void> {
    const before = this.status?.kind === "working" ? this.status.mode : this.status?.kind;
    try {
      this.status = parseThinPoolStatus(
        // A device below may be waiting for the piece that is worked on.
        await dmStatusLine(names.thinPool(this.uuid), { noFlush: atOnce || this.inPlace !== null }),
      );
    } catch (error) {
      log.warn(`Could not read the status of the thin pool of pool "${this.name}": ${errorText(error)}`);
      this.status = { kind: "error" };
    }
    const after = this.status.kind === "working" ? this.status.mode : this.status.kind;
    if (before !== after) {
      const text = `Thin pool of pool "${this.name}" is in state ${after}${before === undefined ? "" : `, was ${before}`}`;
      if (after === "rw") log.info(text);
      else log.warn(text);
    }
  }

  /** Sectors that the thin pool takes of the devices; null while its status is not a working one. */
  thinPoolUsed(): Sectors | null {
    if (this.status?.kind !== "working") return null;
    const { flexDevices } = this.#record;
    return sectors(
      dataBlocksToSectors(this.status.usedData) +
        segmentsLength(flexDevices.thinMeta) +
        segmentsLength(flexDevices.thinMetaSpare) +
        segmentsLength(flexDevices.mdv),
    );
  }

  /** All filesystem records, also of those that could not be set up. */
  allRecords(): FilesystemRecord[] {
    return [...[...this.filesystems.values()].map((filesystem) => filesystem.record), ...this.unusable];
  }

  /** The same, as far as origins and reverts are concerned. */
  origins(): OriginAndMerge[] {
    return this.allRecords().map(({ uuid, name, origin, merge }) => ({
      ...{ uuid, name, origin },
      mergeScheduled: merge,
    }));
  }

  logicalSizes(): Sectors {
    return sumSectors(this.allRecords().map((record) => record.size));
  }

  /** Saves a changed record of a filesystem, on the metadata volume first. */
  async saveFilesystem(filesystem: RealFilesystem, record: FilesystemRecord): Promise<void> {
    await this.mdv.save(record);
    filesystem.record = record;
  }

  /** Makes udev set a filesystem's link, and waits until it has. */
  async announceLink(filesystem: RealFilesystem): Promise<void> {
    await this.links.announce(filesystem.device, filesystem.uuid, linkNames(this, filesystem));
  }

  /** Asks udev at once for all links of the pool that are not there. */
  async announceLinks(): Promise<void> {
    const announceMissing = async (filesystem: RealFilesystem): Promise<void> => {
      if (!(await isLinked(filesystem.device, linkNames(this, filesystem))))
        await this.announceLink(filesystem);
    };
    await Promise.all([...this.filesystems.values()].map(announceMissing));
  }

  /** Gives a filesystem the link of its new name. */
  async moveLink(filesystem: RealFilesystem): Promise<void> {
    await this.links.move(filesystem.device, filesystem.uuid, linkNames(this, filesystem));
  }

  /** Gives all filesystems their links under the pool's new name. */
  async moveLinks(): Promise<void> {
    const moved: Promise<void>[] = [];
    for (const filesystem of this.filesystems.values()) {
      moved.push(this.moveLink(filesystem));
      // A link and its event are made at once, and there may be hundreds.
      await othersTurn();
    }
    await Promise.all(moved);
  }
}
