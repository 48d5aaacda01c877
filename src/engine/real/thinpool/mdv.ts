/** The metadata volume of a pool: a small XFS, privately mounted, with a record of each filesystem. */
import { mkdir, rmdir } from "node:fs/promises";
import * as path from "node:path";
import type { FilesystemRecord } from "../../../disk/filesystem-record";
import { isNativeError, native } from "../../../native";
import { logger } from "../../../log";
import { bytes, bytesToSectors } from "../../../units";
import { simpleUuid, type FilesystemUuid, type PoolUuid } from "../../../uuid";
import { ChainedError, EngineError, errorText } from "../../errors";
import { withUndo, type UndoStack } from "../../undo";
import { isMountPoint, NAMESPACE_MOUNTS, unmountWithRetries } from "../namespace";
import { FilesystemRecords } from "./records";

const log = logger("stratisd::engine::mdv");

/** One block of the metadata volume holds one record. */
const SECTORS_PER_RECORD = 8n;

export class MetadataVolume {
  readonly mountPoint: string;
  readonly #records: FilesystemRecords;

  private constructor(pool: PoolUuid, folder: string) {
    this.mountPoint = path.join(folder, `.mdv-${simpleUuid(pool)}`);
    this.#records = new FilesystemRecords(path.join(this.mountPoint, "filesystems"));
  }

  /** Mounts the volume at `device` in `folder`, and clears what an interrupted write left in it. */
  static async mount(
    pool: PoolUuid,
    device: string,
    folder: string = NAMESPACE_MOUNTS,
  ): Promise<MetadataVolume> {
    const volume = new MetadataVolume(pool, folder);
    try {
      return await withUndo(async (undo) => {
        await volume.#mount(device, undo);
        await volume.#records.prepare();
        return volume;
      });
    } catch (error) {
      throw new ChainedError(`Failed to mount the metadata volume ${device} of pool ${pool}`, error);
    }
  }

  async #mount(device: string, undo: UndoStack): Promise<void> {
    await mkdir(this.mountPoint, { recursive: true });
    try {
      await native().mount({ source: device, target: this.mountPoint, type: "xfs" });
      undo.push(`unmount ${this.mountPoint}`, () => this.unmount());
    } catch (error) {
      if (!isNativeError(error) || error.code !== "EBUSY" || !(await this.isMounted())) throw error;
      log.debug(`The metadata volume is already mounted at ${this.mountPoint}`);
    }
  }

  /** Unmounts the volume of a pool that does not run, if a stop that was not completed has left it mounted. */
  static unmountOf(pool: PoolUuid): Promise<void> {
    return new MetadataVolume(pool, NAMESPACE_MOUNTS).unmount();
  }

  isMounted(): Promise<boolean> {
    return isMountPoint(this.mountPoint);
  }

  /** Throws unless all of them were read from the volume: a thin device that no record names is deleted. */
  async readAll(): Promise<FilesystemRecord[]> {
    const records = await this.#records.readAll();
    if (!(await this.isMounted())) throw new EngineError(`Nothing is mounted at ${this.mountPoint} any more`);
    return records;
  }
  save(record: FilesystemRecord): Promise<void> {
    return this.#records.save(record);
  }
  remove(uuid: FilesystemUuid): Promise<void> {
    return this.#records.remove(uuid);
  }

  /** How many records fit: the largest filesystem limit that makes sense. */
  async maximumRecords(): Promise<bigint> {
    const { blockSize, blocks } = await native().statFs(this.mountPoint);
    return bytesToSectors(bytes(blockSize * blocks)) / SECTORS_PER_RECORD;
  }

  async unmount(): Promise<void> {
    if (!(await this.isMounted())) return;
    await unmountWithRetries(this.mountPoint);
    try {
      await rmdir(this.mountPoint);
    } catch (error) {
      log.warn(`Could not remove the mount point ${this.mountPoint}: ${errorText(error)}`);
    }
  }
}
