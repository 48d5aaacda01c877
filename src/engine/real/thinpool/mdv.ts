/**
 * The metadata volume of a pool: a small XFS, privately mounted, with one JSON record per filesystem
 * (on-disk-format.md §14).
 */
import { mkdir, open, readdir, readFile, rename, rmdir, stat, unlink } from "node:fs/promises";
import * as path from "node:path";
import {
  encodeFilesystemRecord,
  parseFilesystemRecord,
  type FilesystemRecord,
} from "../../../disk/filesystem-record";
import { isNativeError, native } from "../../../native";
import { logger } from "../../../log";
import { bytes, bytesToSectors } from "../../../units";
import { simpleUuid, type FilesystemUuid, type PoolUuid } from "../../../uuid";
import { ChainedError, EngineError, errorText } from "../../errors";
import { NAMESPACE_MOUNTS, unmountWithRetries } from "../namespace";

const log = logger("stratisd::engine::mdv");

/** One block of the metadata volume holds one record. */
const SECTORS_PER_RECORD = 8n;

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export class MetadataVolume {
  readonly mountPoint: string;
  readonly #records: string;

  private constructor(pool: PoolUuid) {
    this.mountPoint = path.join(NAMESPACE_MOUNTS, `.mdv-${simpleUuid(pool)}`);
    this.#records = path.join(this.mountPoint, "filesystems");
  }

  /** Mounts the volume at `device`, and clears what an interrupted write left in it. */
  static async mount(pool: PoolUuid, device: string): Promise<MetadataVolume> {
    const volume = new MetadataVolume(pool);
    try {
      await mkdir(volume.mountPoint, { recursive: true });
      try {
        await native().mount({ source: device, target: volume.mountPoint, type: "xfs" });
      } catch (error) {
        if (!isNativeError(error) || error.code !== "EBUSY" || !(await volume.isMounted())) throw error;
        log.debug(`The metadata volume is already mounted at ${volume.mountPoint}`);
      }
      await mkdir(volume.#records, { recursive: true });
      await volume.#removeTemporaries();
    } catch (error) {
      throw new ChainedError(`Failed to mount the metadata volume ${device} of pool ${pool}`, error);
    }
    return volume;
  }

  /** A record is written under another name first; such a file is left only by a write that was interrupted. */
  async #removeTemporaries(): Promise<void> {
    const leftovers = (await readdir(this.#records)).filter((name) => name.endsWith(".temp"));
    for (const name of leftovers) {
      log.info(`Removing ${name}, left on the metadata volume by an interrupted write`);
      await unlink(path.join(this.#records, name));
    }
    if (leftovers.length > 0) await syncDirectory(this.#records);
  }

  async isMounted(): Promise<boolean> {
    const [own, parent] = await Promise.all([stat(this.mountPoint), stat(path.dirname(this.mountPoint))]);
    return own.dev !== parent.dev;
  }

  #file(uuid: FilesystemUuid, extension: "json" | "temp"): string {
    return path.join(this.#records, `${simpleUuid(uuid)}.${extension}`);
  }

  /** All records. One that can't be read or parsed is an error: its filesystem must not be taken for unused space. */
  async readAll(): Promise<FilesystemRecord[]> {
    const records: FilesystemRecord[] = [];
    for (const name of (await readdir(this.#records)).sort()) {
      if (!name.endsWith(".json")) continue;
      try {
        records.push(parseFilesystemRecord(await readFile(path.join(this.#records, name), "utf8")));
      } catch (error) {
        throw new ChainedError(`Failed to read filesystem record ${name} on the metadata volume`, error);
      }
    }
    requireUnique(records);
    return records;
  }

  /** Writes a record so that a crash leaves the old one or the new one. */
  async save(record: FilesystemRecord): Promise<void> {
    const temporary = this.#file(record.uuid, "temp");
    try {
      const handle = await open(temporary, "w", 0o600);
      try {
        await handle.writeFile(encodeFilesystemRecord(record));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, this.#file(record.uuid, "json"));
      await syncDirectory(this.#records);
    } catch (error) {
      await unlink(temporary).catch((cleanup: unknown) => {
        // Usually it is not there; if it is, the next mount removes it.
        log.debug(`Leaving ${temporary}: ${errorText(cleanup)}`);
      });
      throw new ChainedError(`Failed to save the record of filesystem "${record.name}"`, error);
    }
  }

  /** A record that does not exist is fine. */
  async remove(uuid: FilesystemUuid): Promise<void> {
    try {
      await unlink(this.#file(uuid, "json"));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw new ChainedError(`Failed to remove the record of filesystem ${uuid}`, error);
    }
    await syncDirectory(this.#records);
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

function requireUnique(records: readonly FilesystemRecord[]): void {
  const names = new Set<string>();
  const uuids = new Set<string>();
  for (const { name, uuid } of records) {
    if (names.has(name))
      throw new EngineError(`Two filesystem records on the metadata volume have the name "${name}"`);
    if (uuids.has(uuid))
      throw new EngineError(`Two filesystem records on the metadata volume have the UUID ${uuid}`);
    names.add(name);
    uuids.add(uuid);
  }
}
