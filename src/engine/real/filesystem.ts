/** A filesystem of a running pool: its record, and what the kernel last said of its thin device. */
import type { FilesystemRecord } from "../../disk/filesystem-record";
import type { DeviceNumber } from "../../dm/device-number";
import { sectorsToBytes, type Bytes, type Sectors } from "../../units";
import type { FilesystemUuid } from "../../uuid";
import type { Filesystem } from "../engine";
import { RetryPause } from "./retry-pause";

export class RealFilesystem implements Filesystem {
  /** Sectors mapped in the thin device at the last look; null: its status was not a working one. */
  mapped: Sectors | null = null;
  /** After a growth that failed: each freezes the filesystem for a moment. */
  readonly growthPause = new RetryPause();

  constructor(
    public record: FilesystemRecord,
    public device: DeviceNumber,
    readonly poolName: () => string,
  ) {}

  get uuid(): FilesystemUuid {
    return this.record.uuid;
  }
  get name(): string {
    return this.record.name;
  }
  get mountPath(): string {
    return `/dev/stratis/${this.poolName()}/${this.record.name}`;
  }
  get created(): Date {
    return new Date(Number(this.record.created) * 1000);
  }
  get size(): Bytes {
    return sectorsToBytes(this.record.size);
  }
  get used(): Bytes | null {
    return this.mapped === null ? null : sectorsToBytes(this.mapped);
  }
  get sizeLimit(): Bytes | null {
    return this.record.sizeLimit === null ? null : sectorsToBytes(this.record.sizeLimit);
  }
  get origin(): FilesystemUuid | null {
    return this.record.origin;
  }
  get mergeScheduled(): boolean {
    return this.record.merge;
  }
}
