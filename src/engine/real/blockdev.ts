/** A block device that belongs to a running pool. */
import { readStaticHeader, writeStaticHeader, wipeStaticHeader } from "../../disk/bda";
import type { DeviceRecord } from "../../disk/pool-record";
import type { StaticHeader } from "../../disk/static-header";
import type { DeviceNumber } from "../../dm/device-number";
import { bytes, bytesToSectors, sectorsToBytes, type Bytes, type Sectors } from "../../units";
import type { DevUuid } from "../../uuid";
import type { BlockDev, BlockDevTier } from "../engine";
import { EngineError } from "../errors";
import { withBlockFile, type SectorSizes } from "./block-file";
import type { DeviceCrypt } from "./crypt/device-crypt";
import { requestUdevChange } from "./uevent";

export class RealBlockDev implements BlockDev {
  newSize: Bytes | null = null;
  /** false: the kernel has removed the device, and one that comes back is another device to it. */
  present = true;
  /** The part of the pool's record that is about this device; the pool keeps it up to date. */
  record: DeviceRecord;
  header: StaticHeader;

  constructor(
    /** Has the Stratis metadata: of an encrypted V1 pool the mapping, otherwise the device itself. */
    readonly devnode: string,
    /** Of the same. */
    readonly number: DeviceNumber,
    /** Of the same. */
    readonly openSectorSizes: SectorSizes,
    header: StaticHeader,
    record: DeviceRecord,
    readonly tier: BlockDevTier,
    /** The layer in between; null except in an encrypted V1 pool. */
    readonly crypt: DeviceCrypt | null = null,
  ) {
    this.header = header;
    this.record = record;
  }

  get uuid(): DevUuid {
    return this.header.devUuid;
  }
  get physicalPath(): string {
    return this.crypt?.container ?? this.devnode;
  }
  /** Of the physical device. */
  get physicalNumber(): DeviceNumber {
    return this.crypt?.number ?? this.number;
  }
  /** Of the physical device. */
  get sectorSizes(): SectorSizes {
    return this.crypt?.sectorSizes ?? this.openSectorSizes;
  }
  get userInfo(): string | null {
    return this.record.userInfo;
  }
  get hardwareInfo(): string | null {
    return this.record.hardwareInfo;
  }
  get initializationTime(): Date {
    return new Date(Number(this.header.initializationTime) * 1000);
  }
  get size(): Bytes {
    return sectorsToBytes(this.header.deviceSize);
  }

  /** Writes both copies of the static header with other flags; what they mean is in src/disk/static-header.ts. */
  writeFlags(flags: bigint): Promise<void> {
    return this.writeHeader({ ...this.header, flags });
  }

  async writeHeader(header: StaticHeader): Promise<void> {
    await withBlockFile(this.devnode, { write: true }, async (file) => {
      await writeStaticHeader(file, header);
    });
    this.header = header;
  }

  /** The size that the device has now, which is not the recorded one when the physical device has changed. */
  async currentSize(): Promise<Sectors> {
    if (this.crypt !== null) return await this.crypt.room();
    const { size } = await withBlockFile(this.devnode, {}, (file) => file.info());
    return bytesToSectors(bytes(size));
  }

  /** Makes the device one that belongs to nobody, after making sure that it still is the one we know. */
  async wipe(): Promise<void> {
    if (this.crypt !== null) {
      await this.crypt.wipe();
      return;
    }
    await withBlockFile(this.devnode, { write: true }, async (file) => {
      const found = await readStaticHeader(file);
      if (found === null) return;
      if (found.header.devUuid !== this.uuid || found.header.poolUuid !== this.header.poolUuid)
        throw new EngineError(
          `${this.physicalPath} carries device ${found.header.devUuid} of pool ${found.header.poolUuid} instead of ` +
            `device ${this.uuid} of pool ${this.header.poolUuid}; it is left alone`,
        );
      await wipeStaticHeader(file);
    });
    requestUdevChange(this.number);
  }
}
