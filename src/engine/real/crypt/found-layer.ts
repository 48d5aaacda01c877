/**
 * The encrypted layer that a V2 pool has when it is set up, also when an encryption or decryption in place was
 * interrupted (encryption.md §10.2, §19.4). Header and record may disagree then, and the header is right: it is written
 * before the data that it describes, and the record only says where in the pool's devices they are.
 */
import { newestHeaderJson } from "../../../disk/luks2-header";
import { dataLayout } from "../../../disk/luks2-segments";
import type { PoolRecord } from "../../../disk/pool-record";
import type { DeviceNumber } from "../../../dm/device-number";
import { sectorsToBytes } from "../../../units";
import type { DevUuid } from "../../../uuid";
import { EngineError } from "../../errors";
import { encryptedRecord, plainRecord } from "../backstore/allocation";
import { withBlockFile } from "../block-file";
import type { FlexPlace } from "../thinpool/stack";
import type { PoolCrypt } from "./pool-crypt";

export const isEncrypted = ({ features }: PoolRecord): boolean => features.includes("Encryption");

export interface FoundLayer {
  /** Through which the pool's devices reach their data; null: they are plain. */
  crypt: PoolCrypt | null;
  /** A header that stands for nothing: encryption that had not begun, or decryption that was done. */
  leftover: PoolCrypt | null;
  /** The pool's record, as it has to be for that. */
  record: PoolRecord;
}

/** `header`: what `PoolCrypt.load` gives. */
export function judgeLayer(record: PoolRecord, header: PoolCrypt | null): FoundLayer {
  if (header === null) {
    if (isEncrypted(record))
      throw new EngineError("Metadata reported that encryption is enabled but no header was found");
    return { crypt: null, leftover: null, record };
  }
  const { stage } = header;
  if (stage === "decrypted" || (stage === "untouched" && !isEncrypted(record)))
    return { crypt: null, leftover: header, record: plainRecord(record) };
  return { crypt: header, leftover: null, record: encryptedRecord(record) };
}

/** Where flex devices may still be cut from: the other side of `layer`. `cap`s: of either side, null where it is not live. */
export function formerPlace(
  { crypt, leftover, record }: FoundLayer,
  container: DeviceNumber,
  mapping: DeviceNumber | null,
): FlexPlace | undefined {
  if (crypt !== null) return { record: plainRecord(record), cap: container };
  return leftover === null || mapping === null
    ? undefined
    : { record: encryptedRecord(record), cap: mapping };
}

/** Bytes of the two copies of a header, in V2. */
const COPIES_BYTES = 0x20000;

/**
 * Whether a pool that is recorded as encrypted has a header by which all is plain, so that nothing has to be unlocked.
 * The header is read from the block device that has it, before any other device is made.
 */
export async function needsNoSecret(
  record: PoolRecord,
  devices: ReadonlyMap<DevUuid, { physicalPath: string }>,
): Promise<boolean> {
  const [first] = record.dataTier.allocations;
  const device = first === undefined ? undefined : devices.get(first.parent);
  if (first === undefined || device === undefined || sectorsToBytes(first.length) < COPIES_BYTES)
    return false;
  const copies = await withBlockFile(device.physicalPath, { direct: true }, (file) =>
    file.read(sectorsToBytes(first.start), COPIES_BYTES),
  );
  const json = newestHeaderJson(copies);
  if (json === null) return false;
  const { segments, final } = dataLayout(json);
  return final === null && segments.every(({ encryption }) => encryption === null);
}
