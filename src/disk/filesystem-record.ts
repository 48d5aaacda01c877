/** The record of one filesystem, a JSON file on the pool's metadata volume (on-disk-format.md §14.3). */
import type { Sectors } from "../units";
import type { FilesystemUuid } from "../uuid";
import { printJson, type JsonValue } from "./json";
import { cutForRecord, presentMembers, RecordReader } from "./record-reader";
import { MAX_UNIX_SECONDS } from "./static-header";

export interface FilesystemRecord {
  name: string;
  uuid: FilesystemUuid;
  /** 0 to 2^24 - 1 */
  thinId: number;
  /** Of the thin device. */
  size: Sectors;
  /** Unix seconds */
  created: bigint;
  /** null: it may grow without limit. */
  sizeLimit: Sectors | null;
  /** What it is a snapshot of. */
  origin: FilesystemUuid | null;
  /** When the pool starts next, the origin is to be reverted to this snapshot. */
  merge: boolean;
}

const MAX_THIN_ID = 2n ** 24n - 1n;

/** Throws DiskFormatError that names what is wrong. Keys that are not known are ignored. */
export function parseFilesystemRecord(text: Uint8Array | string): FilesystemRecord {
  const root = RecordReader.parse("Filesystem metadata", text);
  return {
    name: root.member("name").name(),
    uuid: root.member("uuid").uuid() as FilesystemUuid,
    thinId: Number(root.member("thin_id").integer(0n, MAX_THIN_ID)),
    size: root.member("size").sectors(),
    created: root.member("created").integer(0n, MAX_UNIX_SECONDS),
    sizeLimit: root.memberUnlessNull("fs_size_limit")?.sectors() ?? null,
    origin: (root.memberUnlessNull("origin")?.uuid() ?? null) as FilesystemUuid | null,
    merge: root.memberIfPresent("merge")?.boolean() ?? false,
  };
}

/** Keys in upstream's order; `merge` is always there. */
export function filesystemRecordJson(record: FilesystemRecord): JsonValue {
  return presentMembers([
    ["name", cutForRecord(record.name)],
    ["uuid", record.uuid],
    ["thin_id", BigInt(record.thinId)],
    ["size", record.size],
    ["created", record.created],
    ["fs_size_limit", record.sizeLimit ?? undefined],
    ["origin", record.origin ?? undefined],
    ["merge", record.merge],
  ]);
}

export const encodeFilesystemRecord = (record: FilesystemRecord): string =>
  printJson(filesystemRecordJson(record));
