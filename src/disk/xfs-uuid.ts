/**
 * Giving an XFS another UUID by changing only what must change: its superblocks and the last record of its log.
 * `xfs_db -c uuid` rewrites the whole log, which on a thin snapshot costs the space of it (xfs-uuid.md).
 */
import type { BlockFile } from "../native";
import { bytes } from "../units";
import { parseUuid } from "../uuid";
import { DiskFormatError } from "./errors";
import {
  findLogHead,
  LOG_BLOCK_BYTES,
  readUnmountRecord,
  recordHeaderWithUuid,
  type ReadLog,
} from "./xfs-log";
import {
  parseSuperblock,
  requireSameFilesystem,
  superblockOffset,
  superblockSectorSize,
  superblockUuid,
  withUuid,
  XFS_SB_BYTES,
} from "./xfs-superblock";

/** The UUID of the XFS on a device, hyphenated; null where there is none. */
export async function xfsUuid(file: BlockFile): Promise<string | null> {
  if ((await file.info()).size < XFS_SB_BYTES) return null;
  return superblockUuid(await file.read(0n, XFS_SB_BYTES));
}

interface Write {
  offset: bigint;
  data: Buffer;
}

/**
 * Changes the UUID of the unmounted XFS on `file`, a device that nobody else uses, to `newUuid`.
 *
 * Everything is checked before the first write. Where anything is not as expected (damage, an unclean log, a feature
 * that is not known) nothing is written, and `fallback` says why: another tool may do it. Errors of reading and
 * writing are thrown as they are; after one of writing, the filesystem may carry both UUIDs, so it must not be used
 * before the same change was repeated, which completes it.
 * Throws RangeError for a `newUuid` that is not a UUID in hyphenated lower-case form, or is nil.
 */
export async function changeXfsUuid(
  file: BlockFile,
  newUuid: string,
): Promise<"changed" | { fallback: string }> {
  if (parseUuid(newUuid) !== newUuid || /^[0-]+$/.test(newUuid))
    throw new RangeError(`"${newUuid}" can't be the UUID of an XFS`);
  let writes: Write[];
  try {
    writes = await planChange(file, newUuid);
  } catch (error) {
    if (error instanceof DiskFormatError) return { fallback: error.message };
    throw error;
  }
  for (const { offset, data } of writes) await file.write(offset, data);
  await file.sync();
  return "changed";
}

/** Runs `check`, whose DiskFormatErrors get the place in front. */
async function at<T>(place: string, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof DiskFormatError)
      throw new DiskFormatError(`${place}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** All writes, in their order: the log record, the secondary superblocks, and last the one that mounting looks at. */
async function planChange(file: BlockFile, newUuid: string): Promise<Write[]> {
  const { size } = await file.info();
  const deviceSize = bytes(size);
  if (size < XFS_SB_BYTES) throw new DiskFormatError(`${size} bytes can't hold an XFS`);
  const { primary, sector } = await at("First superblock", async () => {
    const sectorSize = superblockSectorSize(await file.read(0n, XFS_SB_BYTES));
    if (BigInt(sectorSize) > size)
      throw new DiskFormatError(`${size} bytes can't hold a sector of ${sectorSize}`);
    const data = await file.read(0n, sectorSize);
    return { primary: parseSuperblock(data, deviceSize, 0), sector: data };
  });

  const writes: Write[] = [await planLog(file, primary, newUuid)];
  for (let group = 1; group < primary.agCount; group += 1) {
    const offset = superblockOffset(primary, group);
    await at(`Superblock of allocation group ${group}`, async () => {
      const data = await file.read(offset, primary.sectorSize);
      const secondary = parseSuperblock(data, deviceSize, group);
      // This same change may have been cut short behind it.
      const changed = { ...primary, uuid: newUuid, hasMetaUuid: true };
      requireSameFilesystem(secondary.uuid === newUuid ? changed : primary, secondary);
      writes.push({ offset, data: withUuid(data, newUuid) });
    });
  }
  writes.push({ offset: 0n, data: withUuid(sector, newUuid) });
  return writes;
}

async function planLog(
  file: BlockFile,
  { logOffset, logBytes, uuid }: ReturnType<typeof parseSuperblock>,
  newUuid: string,
): Promise<Write> {
  const offsetOf = (block: number): bigint => logOffset + BigInt(block) * BigInt(LOG_BLOCK_BYTES);
  const read: ReadLog = (first, count) => file.read(offsetOf(first), count * LOG_BLOCK_BYTES);
  return await at("Log", async () => {
    const head = await findLogHead(read, Number(logBytes / BigInt(LOG_BLOCK_BYTES)));
    const record = await readUnmountRecord(read, head, [uuid, newUuid]);
    return { offset: offsetOf(record.block), data: recordHeaderWithUuid(record, newUuid) };
  });
}
