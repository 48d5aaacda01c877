/**
 * The log of XFS, as far as changing a UUID needs it: finding its head, and the record in front of it (xfs-uuid.md;
 * names after the kernel's xfs_log_format.h). Integers are big-endian, but for the checksum.
 */
import { hyphenated } from "../uuid";
import { crc32c } from "./crc32c";
import { DiskFormatError } from "./errors";

/** The log's unit, whatever the sector size. */
export const LOG_BLOCK_BYTES = 512;
const RECORD_MAGIC = 0xfeedbabe;
/** sizeof(struct xlog_rec_header) on 64-bit machines: the part of the header block that the checksum covers. */
const CHECKED_HEADER_BYTES = 328;
/** sizeof(struct xlog_rec_ext_header), of a further header block: the part that the checksum covers. */
const CHECKED_EXTENSION_BYTES = 260;
/** A record has as many header blocks as its buffer has parts of this size (XLOG_HEADER_CYCLE_SIZE). */
const HEADER_BLOCK_COVERS_BYTES = 32 * 1024;
/** The largest buffer of a record, and so the largest record, header blocks included. */
const MAX_BUFFER_BYTES = 256 * 1024;
/**
 * The kernel has up to eight buffers of 256 KiB in flight, so after a crash blocks may be missing as far as this in
 * front of what looks like the head (XLOG_TOTAL_REC_SHIFT).
 */
const IN_FLIGHT_BLOCKS = (8 * 256 * 1024) / LOG_BLOCK_BYTES;

const OFFSET = {
  cycle: 4,
  version: 8,
  length: 12,
  lsn: 16,
  crc: 32,
  operations: 40,
  uuid: 304,
  bufferSize: 320,
} as const;
const UUID_BYTES = 16;
const SUPPORTED_VERSION = 2;

const OPERATION = { bytes: 12, client: 8, flags: 9 } as const;
const LOG_CLIENT = 0xaa;
const UNMOUNT_FLAG = 0x20;

/** Reads `count` blocks of the log from block `first`. */
export type ReadLog = (first: number, count: number) => Promise<Buffer>;

/** How many times the log had been written around when this block was written: every block carries that. */
export function cycleOf(block: Buffer): number {
  const word = block.readUInt32BE(0);
  return word === RECORD_MAGIC ? block.readUInt32BE(OFFSET.cycle) : word;
}

const blockAt = (data: Buffer, index: number): Buffer =>
  data.subarray(index * LOG_BLOCK_BYTES, (index + 1) * LOG_BLOCK_BYTES);

/**
 * The head: the first block that was not written in the current cycle. Throws DiskFormatError when there is none, or
 * when the blocks around it, as far as the kernel may have been writing, are not as an orderly end of writing leaves
 * them.
 */
export async function findLogHead(read: ReadLog, blocks: number): Promise<{ head: number; cycle: number }> {
  const cycleAt = async (block: number): Promise<number> => cycleOf(await read(block, 1));
  if (blocks < 2) throw new DiskFormatError(`a log of ${blocks} blocks is too short`);
  const cycle = await cycleAt(0);
  if (cycle === 0 || (await cycleAt(blocks - 1)) === cycle)
    throw new DiskFormatError(`the head of the log can't be told: its first block is of cycle ${cycle}`);
  let [current, older] = [0, blocks - 1];
  while (older - current > 1) {
    const middle = Math.floor((current + older) / 2);
    if ((await cycleAt(middle)) === cycle) current = middle;
    else older = middle;
  }
  const before = Math.min(older, IN_FLIGHT_BLOCKS);
  await requireCycle(read, older - before, before, cycle);
  await requireCycle(read, older, Math.min(blocks - older, IN_FLIGHT_BLOCKS), cycle - 1);
  // The part of the window in front of the head that wraps around to the end of the log.
  const wrapped = Math.min(IN_FLIGHT_BLOCKS - before, blocks - older);
  if (wrapped > 0) await requireCycle(read, blocks - wrapped, wrapped, cycle - 1);
  return { head: older, cycle };
}

async function requireCycle(read: ReadLog, first: number, count: number, cycle: number): Promise<void> {
  const data = await read(first, count);
  for (let index = 0; index < count; index += 1) {
    const found = cycleOf(blockAt(data, index));
    if (found !== cycle)
      throw new DiskFormatError(`block ${first + index} of the log is of cycle ${found} instead of ${cycle}`);
  }
}

/** The record with which a clean log ends. */
export interface UnmountRecord {
  /** Block of the log that holds the record's header. */
  block: number;
  /** That block as it is. */
  header: Buffer;
  /** The header's further blocks, of a log whose records may be larger than 32 KiB. */
  extensions: Buffer;
  /** The data behind them, whole blocks. */
  data: Buffer;
}

/**
 * The last record of the log. Throws DiskFormatError unless it ends at the head and is, beyond doubt, the single
 * operation that an unmount writes, of a filesystem with one of these UUIDs.
 */
export async function readUnmountRecord(
  read: ReadLog,
  { head, cycle }: { head: number; cycle: number },
  uuids: readonly string[],
): Promise<UnmountRecord> {
  const span = Math.min(head, MAX_BUFFER_BYTES / LOG_BLOCK_BYTES);
  const blocks = await read(head - span, span);
  let index = span - 1;
  while (index >= 0 && blockAt(blocks, index).readUInt32BE(0) !== RECORD_MAGIC) index -= 1;
  if (index < 0) throw new DiskFormatError("no record of the log begins in the blocks before its head");
  const header = blockAt(blocks, index);
  const further = headerBlocks(header) - 1;
  const record = {
    block: head - span + index,
    header,
    extensions: blocks.subarray((index + 1) * LOG_BLOCK_BYTES, (index + 1 + further) * LOG_BLOCK_BYTES),
    data: blocks.subarray((index + 1 + further) * LOG_BLOCK_BYTES),
  };
  checkUnmountRecord(record, cycle, uuids);
  return record;
}

/** mkfs.xfs may leave the size of the buffer out. */
const headerBlocks = (header: Buffer): number =>
  Math.max(1, Math.ceil(header.readUInt32BE(OFFSET.bufferSize) / HEADER_BLOCK_COVERS_BYTES));

/** `record.data` must be what lies between the header and the head. */
export function checkUnmountRecord(record: UnmountRecord, cycle: number, uuids: readonly string[]): void {
  const { header, extensions, data, block } = record;
  const fail = (why: string): never => {
    throw new DiskFormatError(`the last record of the log, at its block ${block}, ${why}`);
  };
  const version = header.readUInt32BE(OFFSET.version);
  if (version !== SUPPORTED_VERSION) fail(`has version ${version} instead of ${SUPPORTED_VERSION}`);
  const length = header.readUInt32BE(OFFSET.length);
  const bufferSize = header.readUInt32BE(OFFSET.bufferSize);
  if (length > MAX_BUFFER_BYTES || bufferSize > MAX_BUFFER_BYTES)
    fail(`has ${length} bytes of up to ${bufferSize}, of ${MAX_BUFFER_BYTES} that are possible`);
  if (extensions.length / LOG_BLOCK_BYTES !== headerBlocks(header) - 1)
    fail(`has a header of ${headerBlocks(header)} blocks, which reaches beyond the head`);
  if (Math.ceil(length / LOG_BLOCK_BYTES) * LOG_BLOCK_BYTES !== data.length)
    fail(`has ${length} bytes where ${data.length} lie before the head`);
  const lsn = header.readBigUInt64BE(OFFSET.lsn);
  if (lsn !== (BigInt(cycle) << 32n) + BigInt(block)) fail(`has a sequence number, ${lsn}, of another place`);
  const operations = header.readUInt32BE(OFFSET.operations);
  if (operations !== 1) fail(`has ${operations} operations instead of one, so the log is not clean`);
  if (
    length < OPERATION.bytes ||
    data.readUInt8(OPERATION.client) !== LOG_CLIENT ||
    (data.readUInt8(OPERATION.flags) & UNMOUNT_FLAG) === 0
  )
    fail("is not that of an unmount, so the log is not clean");
  const found = recordUuid(header);
  if (!uuids.includes(found)) fail(`is of filesystem ${found} instead of ${uuids.join(" or ")}`);
  const stored = header.readUInt32LE(OFFSET.crc);
  // The record that mkfs.xfs writes has no checksum; the kernel takes zero as none.
  if (stored !== 0 && stored !== checksum(record)) fail("has a wrong checksum");
}

const recordUuid = (header: Buffer): string =>
  hyphenated(header.toString("hex", OFFSET.uuid, OFFSET.uuid + UUID_BYTES));

function checksum({ header, extensions, data }: Omit<UnmountRecord, "block">): number {
  const checked = Buffer.from(header.subarray(0, CHECKED_HEADER_BYTES));
  checked.writeUInt32LE(0, OFFSET.crc);
  let sum = crc32c(checked);
  for (let index = 0; index < extensions.length / LOG_BLOCK_BYTES; index += 1)
    sum = crc32c(blockAt(extensions, index).subarray(0, CHECKED_EXTENSION_BYTES), sum);
  return crc32c(data.subarray(0, header.readUInt32BE(OFFSET.length)), sum);
}

/** The header block of the record with another UUID. A record without checksum stays without one. */
export function recordHeaderWithUuid(record: UnmountRecord, uuid: string): Buffer {
  const changed = Buffer.from(record.header);
  changed.write(uuid.replaceAll("-", ""), OFFSET.uuid, "hex");
  if (changed.readUInt32LE(OFFSET.crc) !== 0)
    changed.writeUInt32LE(checksum({ ...record, header: changed }), OFFSET.crc);
  return changed;
}
