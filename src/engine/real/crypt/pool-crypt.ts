/**
 * The one LUKS2 layer of an encrypted V2 pool: between cache (or its placeholder) and flex devices (encryption.md §1,
 * §8, §12.3, §13, §14).
 */
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { dmPath } from "../../../dm/operations";
import { native } from "../../../native";
import { logger } from "../../../log";
import type { PoolUuid } from "../../../uuid";
import { EngineError, errorText } from "../../errors";
import { CRYPT_META_SECTORS } from "../backstore/layout";
import { completeReencryption } from "./complete-reencryption";
import { LuksDevice, type HeaderFormat } from "./luks-device";
import type { AcceptedRequest, Unlock } from "./request";
import { featuresOf } from "./tokens";

const log = logger("stratisd::engine::crypt");

const FORMAT: HeaderFormat = {
  metadataSize: 0x10000,
  keyslotsSize: 0xff8000,
  dataOffsetSectors: CRYPT_META_SECTORS,
};

const volumeKeyName = (pool: PoolUuid): string => `stratis-1-vk-${pool}`;

export class PoolCrypt extends LuksDevice {
  #volumeKeyLoaded = false;

  private constructor(
    readonly pool: PoolUuid,
    container: string,
  ) {
    super(container, names.v2Crypt(pool));
  }

  /** The encryption that a header on `container` describes; null where there is no header with a way in. */
  static async load(pool: PoolUuid, container: DeviceNumber): Promise<PoolCrypt | null> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    return (await crypt.refresh()) ? crypt : null;
  }

  /** Formats `container` and binds what is asked for. On failure nothing is left of it. */
  static async create(pool: PoolUuid, container: DeviceNumber, request: AcceptedRequest): Promise<PoolCrypt> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    await crypt.format(FORMAT, request);
    return crypt;
  }

  /** Features of the pool's record. */
  get features(): string[] {
    return featuresOf(this.tokens);
  }

  /** As of the last time that it was loaded or looked for. */
  get volumeKeyLoaded(): boolean {
    return this.#volumeKeyLoaded;
  }

  /**
   * Opens the pool, or takes over the device of an earlier daemon, for which the volume key is loaded if that is
   * possible without anybody's help.
   */
  async open({ method, passphrase }: Unlock): Promise<DeviceNumber> {
    const live = await this.mappingNumber();
    if (live !== null) {
      await this.loadVolumeKey();
      return live;
    }
    if (method === null) throw new EngineError("No unlock mechanism was provided");
    if (await completeReencryption(this.container)) {
      log.warn(`A re-encryption of pool ${this.pool} that was interrupted at its very end is completed`);
      await this.refresh();
    }
    const volumeKeyDescription = volumeKeyName(this.pool);
    await this.tryAll(method, passphrase, async (unlock) => {
      const opened = await native().cryptActivate(this.container, this.mapping, unlock, {
        volumeKeyDescription,
      });
      this.#volumeKeyLoaded = opened.volumeKeyLoaded;
    });
    return await this.requireMapping();
  }

  /** Failures are logged: without the key the pool works, and can't grow. */
  async loadVolumeKey(): Promise<boolean> {
    try {
      this.#volumeKeyLoaded = await native().volumeKeyHas(volumeKeyName(this.pool));
      if (this.#volumeKeyLoaded) return true;
      await this.tryAll("any", null, (unlock) =>
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

  /** After the device below has grown. */
  async resize(): Promise<void> {
    if (!(await this.loadVolumeKey()))
      throw new EngineError(`Failed to get volume key for pool with UUID ${this.pool}`);
    await native().cryptResize(this.container, this.mapping, {
      volumeKeyDescription: volumeKeyName(this.pool),
    });
  }

  async forgetVolumeKey(): Promise<void> {
    this.#volumeKeyLoaded = false;
    await native().volumeKeyUnset(volumeKeyName(this.pool));
  }
}
