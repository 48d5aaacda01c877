/** Records of filesystems, one JSON file each, in a folder of the metadata volume (on-disk-format.md §14). */
import { mkdir, readdir, readFile } from "node:fs/promises";
import * as path from "node:path";
import {
  encodeFilesystemRecord,
  parseFilesystemRecord,
  type FilesystemRecord,
} from "../../../disk/filesystem-record";
import { logger } from "../../../log";
import { native } from "../../../native";
import { simpleUuid, type FilesystemUuid } from "../../../uuid";
import { ChainedError, EngineError, isMissing } from "../../errors";

const log = logger("stratisd::engine::mdv");

export class FilesystemRecords {
  constructor(readonly folder: string) {}

  /** Makes the folder, or clears what an interrupted write left in it. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await this.#removeTemporaries();
  }

  /** A record is written under another name first; such a file is left only by a write that was interrupted. */
  async #removeTemporaries(): Promise<void> {
    const leftovers = (await readdir(this.folder)).filter((name) => name.endsWith(".temp"));
    for (const name of leftovers) {
      log.info(`Removing ${name}, left on the metadata volume by an interrupted write`);
      await native().removeFile(path.join(this.folder, name));
    }
  }

  #file(uuid: FilesystemUuid, extension: "json" | "temp"): string {
    return path.join(this.folder, `${simpleUuid(uuid)}.${extension}`);
  }

  /** All records. One that can't be read or parsed is an error: its filesystem must not be taken for unused space. */
  async readAll(): Promise<FilesystemRecord[]> {
    const records: FilesystemRecord[] = [];
    for (const name of (await readdir(this.folder)).sort()) {
      if (!name.endsWith(".json")) continue;
      try {
        records.push(parseFilesystemRecord(await readFile(path.join(this.folder, name), "utf8")));
      } catch (error) {
        throw new ChainedError(`Failed to read filesystem record ${name} on the metadata volume`, error);
      }
    }
    requireUnique(records);
    return records;
  }

  /** Writes a record so that a crash leaves the old one or the new one. */
  async save(record: FilesystemRecord): Promise<void> {
    try {
      await native().replaceFile({
        path: this.#file(record.uuid, "json"),
        temporary: this.#file(record.uuid, "temp"),
        data: Buffer.from(encodeFilesystemRecord(record)),
      });
    } catch (error) {
      throw new ChainedError(`Failed to save the record of filesystem "${record.name}"`, error);
    }
  }

  /** A record that does not exist is fine. */
  async remove(uuid: FilesystemUuid): Promise<void> {
    try {
      await native().removeFile(this.#file(uuid, "json"));
    } catch (error) {
      if (isMissing(error)) return;
      throw new ChainedError(`Failed to remove the record of filesystem ${uuid}`, error);
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
