/**
 * The one LUKS2 layer of an encrypted V2 pool: between cache (or its placeholder) and flex devices (encryption.md §1,
 * §8, §12.3, §13, §14). What is done to it in place is in in-place.ts.
 */
import { dataLayout } from "../../../disk/luks2-segments";
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { dmPath } from "../../../dm/operations";
import { native, type VolumeKey } from "../../../native";
import { logger } from "../../../log";
import { SECTOR_BYTES } from "../../../units";
import type { PoolUuid } from "../../../uuid";
import { EngineError, errorText } from "../../errors";
import { CRYPT_META_SECTORS } from "../backstore/layout";
import { recoverHeaders } from "./header-backup";
import { InPlaceDevice } from "./in-place-device";
import { requireKeyslot, wipedOnFailure, type HeaderFormat } from "./luks-device";
import { liveLength, reloadMapping } from "./mapping";
import type { AcceptedRequest, Unlock } from "./request";
import { featuresOf } from "./tokens";

const log = logger("stratisd::engine::crypt");

const FORMAT: HeaderFormat = {
  metadataSize: 0x10000,
  keyslotsSize: 0xff8000,
  dataOffsetSectors: CRYPT_META_SECTORS,
};

const volumeKeyName = (pool: PoolUuid): string => `stratis-1-vk-${pool}`;

/**
 * What the header says of the data. untouched: they are to be encrypted, and none is yet; underway: an operation in
 * place has begun; decrypted: all are plain again, and nothing can be unlocked any more.
 */
export type DataStage = "encrypted" | "untouched" | "underway" | "decrypted";

export class PoolCrypt extends InPlaceDevice {
  #volumeKeyLoaded = false;

  private constructor(
    readonly pool: PoolUuid,
    container: string,
  ) {
    super(container, names.v2Crypt(pool));
  }

  /** Takes back a change of the header that was interrupted. To be called before load(). */
  static async recover(pool: PoolUuid, container: DeviceNumber): Promise<void> {
    await recoverHeaders([new PoolCrypt(pool, dmPath(container))]);
  }

  /** The encryption that a header on `container` describes; null where there is no header with a way in. */
  static async load(pool: PoolUuid, container: DeviceNumber): Promise<PoolCrypt | null> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    return (await crypt.refresh()) ? crypt : null;
  }

  /** Formats `container` and binds what is asked for. On failure nothing is left of it. */
  static async create(pool: PoolUuid, container: DeviceNumber, request: AcceptedRequest): Promise<PoolCrypt> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    crypt.keepNewVolumeKey(await crypt.format(FORMAT, request), request);
    return crypt;
  }

  /**
   * A header in a file, for data that are there already and are to be encrypted. `sectorSize` in bytes. Returns the
   * volume key, for the caller to wipe.
   */
  static async prepare(
    pool: PoolUuid,
    file: string,
    request: AcceptedRequest,
    sectorSize: number,
  ): Promise<VolumeKey> {
    const crypt = new PoolCrypt(pool, file);
    const volumeKey = await crypt.format({ ...FORMAT, sectorSize }, request);
    return await wipedOnFailure(volumeKey, () =>
      crypt.openingByAny((unlock, token) =>
        native().cryptReencryptBegin(file, {
          ...{ mode: "encrypt", unlock, newKeyslot: requireKeyslot(token), sectorSize, initializeOnly: true },
        }),
      ),
    );
  }

  /** Features of the pool's record. */
  get features(): string[] {
    return featuresOf(this.tokens);
  }

  /** As of the last time that it was loaded or looked for. */
  get volumeKeyLoaded(): boolean {
    return this.#volumeKeyLoaded;
  }

  /** As of the last time that the header was read. */
  get stage(): DataStage {
    if (this.header === null) throw new EngineError(`${this.container} has no LUKS2 header`);
    const { segments } = dataLayout(this.header.json);
    const plain = segments.every(({ encryption, inWork }) => encryption === null && !inWork);
    if (this.pending === null) return plain ? "decrypted" : "encrypted";
    return this.pending === "encrypt" && plain ? "untouched" : "underway";
  }

  /** Bytes of the encryption's sectors. */
  get sectorSize(): number {
    return this.header?.sectorSize ?? 512;
  }

  /**
   * Opens the pool, or takes over the device of an earlier daemon, for which the volume key is loaded if that is
   * possible without anybody's help.
   */
  async open({ method, passphrase }: Unlock, container: DeviceNumber): Promise<DeviceNumber> {
    const live = await this.mappingNumber();
    if (live !== null) {
      await this.mend(container, { method: method ?? "any", passphrase });
      if (this.pending === null) await this.loadVolumeKey();
      await this.#followContainer(container);
      return live;
    }
    if (method === null) throw new EngineError("No unlock mechanism was provided");
    const volumeKeyDescription = volumeKeyName(this.pool);
    await this.openBy(method, passphrase, async (unlock) => {
      const opened = await native().cryptActivate(this.container, this.mapping, unlock, {
        volumeKeyDescription,
      });
      this.#volumeKeyLoaded = opened.volumeKeyLoaded;
    });
    // What was interrupted in the middle of a piece was recovered by that.
    await this.refresh();
    return await this.requireMapping();
  }

  /** A growth that was interrupted when its record was saved, and what is below had grown, goes on. */
  async #followContainer(container: DeviceNumber): Promise<void> {
    const { dataOffsetSectors } = this.header ?? FORMAT;
    const room = (await liveLength(names.physicalCache(this.pool))) - dataOffsetSectors;
    const missing = room - (await liveLength(this.mapping));
    if (missing * SECTOR_BYTES < BigInt(this.sectorSize)) return;
    log.info(
      `The encrypted device of pool ${this.pool} grows by ${missing} sectors, as what is below it has`,
    );
    await this.resize(container);
  }

  /** The mapping of a header that was just written onto a device that others use as it is. */
  async openShared(): Promise<DeviceNumber> {
    await this.tryAll("any", null, (unlock) =>
      native().cryptActivate(this.container, this.mapping, unlock, { shared: true }),
    );
    return await this.requireMapping();
  }

  /** Failures are logged: without the key the pool works, and can't grow. */
  async loadVolumeKey(): Promise<boolean> {
    try {
      this.#volumeKeyLoaded = await native().volumeKeyHas(volumeKeyName(this.pool));
      if (this.#volumeKeyLoaded) return true;
      await this.openBy("any", null, (unlock) =>
        native().cryptLoadVolumeKey(this.container, unlock, volumeKeyName(this.pool)),
      );
      this.#volumeKeyLoaded = true;
    } catch (error) {
      log.warn(
        `The volume key of pool ${this.pool} is not loaded, so that it can't grow: ${errorText(error)}`,
      );
    }
    return this.#volumeKeyLoaded;
  }

  /** Writes into the header that all data are to be decrypted. */
  async beginDecryption(): Promise<void> {
    await this.openingByAny((unlock, token) =>
      native().cryptReencryptBegin(this.container, {
        ...{ mode: "decrypt", activeName: this.mapping, unlock, oldKeyslot: requireKeyslot(token) },
      }),
    );
    await this.refresh();
  }

  /** Throws EngineError when resize() would. */
  async requireResizable(): Promise<void> {
    if (this.pending === null && !(await this.loadVolumeKey()))
      throw new EngineError(`Failed to get volume key for pool with UUID ${this.pool}`);
  }

  /** After the device below has grown, or is as small as before again. */
  async resize(container: DeviceNumber): Promise<void> {
    if (this.pending !== null) {
      // libcryptsetup does not resize then.
      const below = await liveLength(names.physicalCache(this.pool));
      const { dataOffsetSectors } = this.header ?? FORMAT;
      const unlock: Unlock = { method: "any", passphrase: null };
      await reloadMapping(this.mapped(container, unlock), below - dataOffsetSectors);
      return;
    }
    await this.requireResizable();
    await native().cryptResize(this.container, this.mapping, {
      volumeKeyDescription: volumeKeyName(this.pool),
    });
  }

  /** After all data have got another key. */
  async renewVolumeKey(): Promise<void> {
    await native().volumeKeyUnset(volumeKeyName(this.pool));
    await this.loadVolumeKey();
  }

  async forgetVolumeKey(): Promise<void> {
    this.keepVolumeKey(null);
    this.#volumeKeyLoaded = false;
    await native().volumeKeyUnset(volumeKeyName(this.pool));
  }
}
