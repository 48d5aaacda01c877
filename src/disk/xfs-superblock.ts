/**
 * The superblock of XFS, as far as changing a UUID needs it (xfs-uuid.md; names after the XFS on-disk format
 * document). Integers are big-endian, but for the checksum.
 */
import { bytes, type Bytes } from "../units";
import { hyphenated } from "../uuid";
import { crc32c } from "./crc32c";
import { DiskFormatError } from "./errors";

/** Bytes that hold all fields used here; the checksum covers a sector of the filesystem, which may be longer. */
export const XFS_SB_BYTES = 512;
const MAGIC = 0x58465342;
const SUPPORTED_VERSION = 5;

const OFFSET = {
  magic: 0,
  blockSize: 4,
  dataBlocks: 8,
  realtimeBlocks: 16,
  uuid: 32,
  logStart: 48,
  agBlocks: 84,
  agCount: 88,
  logBlocks: 96,
  version: 100,
  sectorSize: 102,
  agBlockLog: 124,
  inProgress: 126,
  featuresRoCompat: 212,
  featuresIncompat: 216,
  featuresLogIncompat: 220,
  crc: 224,
  metaUuid: 248,
} as const;
const UUID_BYTES = 16;

const META_UUID = 4;
/**
 * FTYPE, SPINODES, META_UUID, BIGTIME, NREXT64, EXCHRANGE, PARENT. Left out on purpose: NEEDSREPAIR, which asks for
 * hands off, and METADIR, with which realtime groups have superblocks of their own.
 */
const KNOWN_INCOMPAT = 0x01 | 0x02 | META_UUID | 0x08 | 0x20 | 0x40 | 0x80;
/** FINOBT, RMAPBT, REFLINK, INOBTCNT */
const KNOWN_RO_COMPAT = 0x0f;

/** mkfs.xfs makes no allocation group below 16 MiB; it bounds the number of superblocks to rewrite. */
const MIN_AG_BYTES = 16n * 1024n * 1024n;

export interface XfsSuperblock {
  blockSize: number;
  dataBlocks: bigint;
  agBlocks: number;
  agCount: number;
  sectorSize: number;
  /** The UUID that blkid shows, hyphenated. */
  uuid: string;
  /** The UUID that all other metadata carries. */
  metaUuid: string;
  hasMetaUuid: boolean;
  /** Where the log is, from the start of the filesystem. */
  logOffset: Bytes;
  logBytes: Bytes;
}

const asBuffer = (data: Uint8Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

const uuidAt = (sb: Buffer, offset: number): string =>
  hyphenated(sb.toString("hex", offset, offset + UUID_BYTES));

/** The UUID in a superblock; null where there is no superblock of XFS. */
export function superblockUuid(data: Uint8Array): string | null {
  const sb = asBuffer(data);
  if (sb.length < XFS_SB_BYTES || sb.readUInt32BE(OFFSET.magic) !== MAGIC) return null;
  return uuidAt(sb, OFFSET.uuid);
}

/** Of the filesystem, from the first bytes of a superblock; the superblock is that many bytes long. */
export function superblockSectorSize(data: Uint8Array): number {
  const sb = asBuffer(data);
  if (superblockUuid(sb) === null) throw new DiskFormatError("there is no XFS superblock");
  const sectorSize = sb.readUInt16BE(OFFSET.sectorSize);
  if (!isPowerOfTwo(sectorSize) || sectorSize < XFS_SB_BYTES || sectorSize > 32768)
    throw new DiskFormatError(`its sector size of ${sectorSize} bytes is impossible`);
  return sectorSize;
}

const isPowerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0;

function checksum(sector: Buffer): number {
  const zero = Buffer.alloc(4);
  const before = crc32c(sector.subarray(0, OFFSET.crc));
  return crc32c(sector.subarray(OFFSET.crc + 4), crc32c(zero, before));
}

function requireSupported(sb: Buffer): void {
  const version = sb.readUInt16BE(OFFSET.version) & 0xf;
  if (version !== SUPPORTED_VERSION)
    throw new DiskFormatError(`its version is ${version} instead of ${SUPPORTED_VERSION}`);
  const unknownIncompat = sb.readUInt32BE(OFFSET.featuresIncompat) & ~KNOWN_INCOMPAT;
  const unknownRoCompat = sb.readUInt32BE(OFFSET.featuresRoCompat) & ~KNOWN_RO_COMPAT;
  const logIncompat = sb.readUInt32BE(OFFSET.featuresLogIncompat);
  if (unknownIncompat !== 0 || unknownRoCompat !== 0 || logIncompat !== 0)
    throw new DiskFormatError(
      `it has features that are not known here: incompatible 0x${(unknownIncompat >>> 0).toString(16)}, ` +
        `read-only compatible 0x${(unknownRoCompat >>> 0).toString(16)}, of the log 0x${logIncompat.toString(16)}`,
    );
  if (sb.readBigUInt64BE(OFFSET.realtimeBlocks) !== 0n)
    throw new DiskFormatError("it has a realtime section");
}

/**
 * Parses the superblock of an allocation group, given its whole sector. Throws DiskFormatError for any that this code must not change:
 * damaged, of another version than 5, with features that are not known, or with sizes that contradict one another or
 * go beyond a device of `deviceSize` bytes.
 */
export function parseSuperblock(data: Uint8Array, deviceSize: Bytes, group: number): XfsSuperblock {
  const sb = asBuffer(data);
  if (superblockSectorSize(sb) !== sb.length)
    throw new DiskFormatError(`its sectors do not have the ${sb.length} bytes that were read`);
  if (checksum(sb) !== sb.readUInt32LE(OFFSET.crc)) throw new DiskFormatError("its checksum is wrong");
  requireSupported(sb);
  // mkfs.xfs clears the flag in the primary superblock only, as its last act.
  if (group === 0 && sb.readUInt8(OFFSET.inProgress) !== 0)
    throw new DiskFormatError("mkfs.xfs was interrupted");

  const blockSize = sb.readUInt32BE(OFFSET.blockSize);
  const dataBlocks = sb.readBigUInt64BE(OFFSET.dataBlocks);
  const agBlocks = sb.readUInt32BE(OFFSET.agBlocks);
  const agCount = sb.readUInt32BE(OFFSET.agCount);
  if (!isPowerOfTwo(blockSize) || blockSize < sb.length || blockSize > 65536)
    throw new DiskFormatError(`its block size of ${blockSize} bytes is impossible`);
  if (dataBlocks * BigInt(blockSize) > deviceSize)
    throw new DiskFormatError(`its ${dataBlocks} blocks of ${blockSize} bytes go beyond ${deviceSize} bytes`);
  if (BigInt(agBlocks) * BigInt(blockSize) < MIN_AG_BYTES && agCount > 1)
    throw new DiskFormatError(`its allocation groups of ${agBlocks} blocks are too small`);
  const lastGroupStart = BigInt(agCount - 1) * BigInt(agBlocks);
  if (agCount === 0 || lastGroupStart >= dataBlocks || BigInt(agCount) * BigInt(agBlocks) < dataBlocks)
    throw new DiskFormatError(`${agCount} groups of ${agBlocks} blocks don't make ${dataBlocks} blocks`);

  const hasMetaUuid = (sb.readUInt32BE(OFFSET.featuresIncompat) & META_UUID) !== 0;
  return {
    blockSize,
    dataBlocks,
    agBlocks,
    agCount,
    sectorSize: sb.length,
    uuid: uuidAt(sb, OFFSET.uuid),
    metaUuid: uuidAt(sb, hasMetaUuid ? OFFSET.metaUuid : OFFSET.uuid),
    hasMetaUuid,
    ...locateLog(sb, { blockSize, agBlocks, agCount, dataBlocks }),
  };
}

/** The log lies within one allocation group; its block number has the group's number in its upper bits. */
function locateLog(
  sb: Buffer,
  {
    blockSize,
    agBlocks,
    agCount,
    dataBlocks,
  }: Pick<XfsSuperblock, "blockSize" | "agBlocks" | "agCount" | "dataBlocks">,
): Pick<XfsSuperblock, "logOffset" | "logBytes"> {
  const logStart = sb.readBigUInt64BE(OFFSET.logStart);
  if (logStart === 0n) throw new DiskFormatError("its log is on another device");
  const logBlocks = BigInt(sb.readUInt32BE(OFFSET.logBlocks));
  const agBlockLog = sb.readUInt8(OFFSET.agBlockLog);
  const groupBits = BigInt(agBlockLog);
  if (agBlockLog > 32 || 1n << groupBits < BigInt(agBlocks))
    throw new DiskFormatError(
      `${agBlockLog} bits can't number the ${agBlocks} blocks of an allocation group`,
    );
  const group = logStart >> groupBits;
  const blockInGroup = logStart & ((1n << groupBits) - 1n);
  const firstBlock = group * BigInt(agBlocks) + blockInGroup;
  if (
    group >= BigInt(agCount) ||
    logBlocks === 0n ||
    blockInGroup + logBlocks > BigInt(agBlocks) ||
    firstBlock + logBlocks > dataBlocks
  )
    throw new DiskFormatError(
      `its log of ${logBlocks} blocks at block ${logStart} is not within an allocation group`,
    );
  return { logOffset: bytes(firstBlock * BigInt(blockSize)), logBytes: bytes(logBlocks * BigInt(blockSize)) };
}

/** Where the superblocks are: at the start of every allocation group, the first of which is the primary one. */
export const superblockOffset = (sb: XfsSuperblock, group: number): bigint =>
  BigInt(group) * BigInt(sb.agBlocks) * BigInt(sb.blockSize);

/** Throws DiskFormatError unless a secondary superblock describes the same filesystem as the primary one. */
export function requireSameFilesystem(primary: XfsSuperblock, secondary: XfsSuperblock): void {
  for (const key of Object.keys(primary) as (keyof XfsSuperblock)[])
    if (primary[key] !== secondary[key])
      throw new DiskFormatError(
        `its ${key} is ${secondary[key]} where the first superblock has ${primary[key]}`,
      );
}

/**
 * The sector of a superblock with another UUID. The UUID that it had so far, which all other metadata carries, is kept
 * as meta_uuid, unless there is one already.
 */
export function withUuid(data: Uint8Array, uuid: string): Buffer {
  const sb = Buffer.from(data);
  const incompat = sb.readUInt32BE(OFFSET.featuresIncompat);
  if ((incompat & META_UUID) === 0) {
    sb.copy(sb, OFFSET.metaUuid, OFFSET.uuid, OFFSET.uuid + UUID_BYTES);
    sb.writeUInt32BE((incompat | META_UUID) >>> 0, OFFSET.featuresIncompat);
  }
  sb.write(uuid.replaceAll("-", ""), OFFSET.uuid, "hex");
  sb.writeUInt32LE(checksum(sb), OFFSET.crc);
  return sb;
}
