/** A block device that belongs to a running pool. */
import { readStaticHeader, writeStaticHeader, wipeStaticHeader } from "../../disk/bda";
import type { DeviceRecord } from "../../disk/pool-record";
import type { StaticHeader } from "../../disk/static-header";
import type { DeviceNumber } from "../../dm/device-number";
import { native, type BlockFile } from "../../native";
import { sectorsToBytes, type Bytes } from "../../units";
import type { DevUuid } from "../../uuid";
import type { BlockDev, BlockDevTier } from "../engine";
import { EngineError } from "../errors";
import { requestUdevChange } from "./uevent";

/** Opens a path for the time of `work`. */
export async function withBlockFile<T>(
  path: string,
  options: { write?: boolean; exclusive?: boolean },
  work: (file: BlockFile) => Promise<T>,
): Promise<T> {
  const file = await native().openBlockFile(path, options);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

export interface SectorSizes {
  logical: number;
  physical: number;
}

export class RealBlockDev implements BlockDev {
  newSize: Bytes | null = null;
  /** false: the kernel has removed the device, and one that comes back is another device to it. */
  present = true;
  /** The part of the pool's record that is about this device; the pool keeps it up to date. */
  record: DeviceRecord;
  header: StaticHeader;

  constructor(
    readonly physicalPath: string,
    readonly number: DeviceNumber,
    readonly sectorSizes: SectorSizes,
    header: StaticHeader,
    record: DeviceRecord,
    readonly tier: BlockDevTier,
  ) {
    this.header = header;
    this.record = record;
  }

  get uuid(): DevUuid {
    return this.header.devUuid;
  }
  get devnode(): string {
    return this.physicalPath;
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
    await withBlockFile(this.physicalPath, { write: true }, async (file) => {
      await writeStaticHeader(file, header);
    });
    this.header = header;
  }

  /** Makes the device one that belongs to nobody, after making sure that it still is the one we know. */
  async wipe(): Promise<void> {
    await withBlockFile(this.physicalPath, { write: true }, async (file) => {
      const found = await readStaticHeader(file);
      if (found === null) return;
      if (found.header.devUuid !== this.uuid || found.header.poolUuid !== this.header.poolUuid)
        throw new EngineError(
          `${this.physicalPath} carries device ${found.header.devUuid} of pool ${found.header.poolUuid} instead of ` +
            `device ${this.uuid} of pool ${this.header.poolUuid}; it is left alone`,
        );
      await wipeStaticHeader(file);
    });
    await requestUdevChange(this.number);
  }
}
