/**
 * The static header: two copies of a 512-byte signature block at the start of every Stratis block device
 * (on-disk-format.md §4, §5). Pure functions; reading and writing devices is in bda.ts.
 */
import { sectors, SECTOR_BYTES, type Sectors } from "../units";
import { hyphenated, parseUuid, simpleUuid, type AnyUuid, type DevUuid, type PoolUuid } from "../uuid";
import { crc32c } from "./crc32c";
import { causeText, DiskFormatError } from "./errors";

/** on-disk-format.md §4.1 */
export interface StaticHeader {
  /** Of the Stratis block device: inside the encryption, in an encrypted V1 pool. */
  deviceSize: Sectors;
  /** Of the pool's metadata. This byte alone tells V1 from V2. */
  version: 1 | 2;
  poolUuid: PoolUuid;
  devUuid: DevUuid;
  /** Of all four MDA regions together. */
  mdaSize: Sectors;
  /** Never written and never allocated, behind the MDA. */
  reservedSize: Sectors;
  /** SIGBLOCK_FLAG bits. Upstream ignores them when it reads, and writes 0. */
  flags: bigint;
  /** Unix seconds, UTC. */
  initializationTime: bigint;
}

/**
 * Our own use of the flags field. All but `growing` mean that the device must not be taken for a member of a good
 * pool, unless the pool's record names it.
 */
export const SIGBLOCK_FLAG = {
  /** The device's pool is being created, and may never have come to exist. */
  creating: 1n,
  /** The device's pool is being destroyed. */
  destroying: 2n,
  /** The size in this header is larger than the one that the pool's record was made for. */
  growing: 4n,
  /**
   * The device is becoming a member of a pool that exists, or ceasing to be one: the pool's record decides, for which
   * a device without one has to wait.
   */
  joining: 8n,
} as const;

export const SIGBLOCK_BYTES = 512;
/** Both copies with their padding: 2 × 8 sectors. */
export const STATIC_HEADER_SECTORS = 16n;
export const MDA_REGIONS = 4;
/** Four regions of 508 sectors. */
export const DEFAULT_MDA_SIZE = sectors(2032n);
/** 3 MiB */
export const DEFAULT_RESERVED_SIZE = sectors(6144n);
/** 4 MiB at the start of every device that is not for data: static header, MDA and reserved space. */
export const DEFAULT_BDA_EXTENDED_SIZE = sectors(
  STATIC_HEADER_SECTORS + DEFAULT_MDA_SIZE + DEFAULT_RESERVED_SIZE,
);

const MAGIC = Buffer.from("!Stra0tis\x86\xff\x02^Arh", "latin1");
/** The last second of the latest date that upstream's date type can hold, in the year 262142. */
export const MAX_UNIX_SECONDS = 8_210_266_876_799n;
/**
 * 64 MiB, what one read of a block file takes. Upstream's regions have 508 sectors; more than this can only be
 * damage or malice.
 */
const MAX_REGION_SECTORS = 131_072n;

export type ParsedSigblock =
  | { kind: "valid"; header: StaticHeader }
  /** Nothing of Stratis is here. */
  | { kind: "none" }
  /** It has Stratis's magic, but can't be used. */
  | { kind: "invalid"; reason: string };

const invalid = (reason: string): ParsedSigblock => ({ kind: "invalid", reason });

/** Parses one copy, in the order of on-disk-format.md §4.2. Sizes are judged by checkGeometry(), not here. */
export function parseSigblock(data: Uint8Array): ParsedSigblock {
  if (data.length !== SIGBLOCK_BYTES)
    throw new DiskFormatError(`A signature block has ${SIGBLOCK_BYTES} bytes, not ${data.length}`);
  const block = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!block.subarray(4, 20).equals(MAGIC)) return { kind: "none" };
  const stored = block.readUInt32LE(0);
  const computed = crc32c(block.subarray(4));
  if (stored !== computed) return invalid(`its checksum is ${hex(stored)} where ${hex(computed)} is due`);
  const version = block.readUInt8(28);
  if (version !== 1 && version !== 2) return invalid(`its version is ${version}, neither 1 nor 2`);
  const poolUuid = parseUuid(block.toString("latin1", 32, 64));
  if (poolUuid === null) return invalid("its pool UUID is not a UUID");
  const devUuid = parseUuid(block.toString("latin1", 64, 96));
  if (devUuid === null) return invalid("its device UUID is not a UUID");
  const initializationTime = block.readBigUInt64LE(120);
  if (initializationTime > MAX_UNIX_SECONDS)
    return invalid(`its initialization time of ${initializationTime} s is not a date`);
  return {
    kind: "valid",
    header: {
      deviceSize: sectors(block.readBigUInt64LE(20)),
      version,
      poolUuid: poolUuid as PoolUuid,
      devUuid: devUuid as DevUuid,
      mdaSize: sectors(block.readBigUInt64LE(96)),
      reservedSize: sectors(block.readBigUInt64LE(104)),
      flags: block.readBigUInt64LE(112),
      initializationTime,
    },
  };
}

const hex = (crc: number): string => `0x${crc.toString(16).padStart(8, "0")}`;

/** The 512 bytes of one copy; both copies have the same. Throws RangeError for a field that does not fit 64 bits. */
export function encodeSigblock(header: StaticHeader): Buffer {
  const block = Buffer.alloc(SIGBLOCK_BYTES);
  MAGIC.copy(block, 4);
  block.writeBigUInt64LE(header.deviceSize, 20);
  block.writeUInt8(header.version, 28);
  block.write(uuidField(header.poolUuid), 32, "latin1");
  block.write(uuidField(header.devUuid), 64, "latin1");
  block.writeBigUInt64LE(header.mdaSize, 96);
  block.writeBigUInt64LE(header.reservedSize, 104);
  block.writeBigUInt64LE(header.flags, 112);
  block.writeBigUInt64LE(header.initializationTime, 120);
  block.writeUInt32LE(crc32c(block.subarray(4)), 0);
  return block;
}

function uuidField(uuid: AnyUuid): string {
  const simple = simpleUuid(uuid);
  if (hyphenated(simple) !== uuid || parseUuid(uuid) !== uuid)
    throw new RangeError(`"${uuid}" is not a UUID in hyphenated lower-case form`);
  return simple;
}

/** Static header and MDA; where the reserved space begins. */
export const bdaSize = (header: StaticHeader): Sectors => sectors(STATIC_HEADER_SECTORS + header.mdaSize);

/** Static header, MDA and reserved space: where space for data begins. */
export const bdaExtendedSize = (header: StaticHeader): Sectors =>
  sectors(bdaSize(header) + header.reservedSize);

/**
 * Throws DiskFormatError unless the sizes in the header describe areas that can exist: regions of whole sectors that
 * hold more than their own header and at most 64 MiB, and a BDA that lies within the recorded device.
 *
 * A checksum protects from accidents, not from a crafted disk, and the sizes become offsets of writes.
 */
export function checkGeometry(header: StaticHeader): void {
  const { mdaSize, reservedSize, deviceSize, devUuid } = header;
  const fail = (why: string): never => {
    throw new DiskFormatError(`The static header of device ${devUuid} is unusable: ${why}`);
  };
  if (mdaSize === 0n || mdaSize % BigInt(MDA_REGIONS) !== 0n)
    fail(`its MDA size of ${mdaSize} sectors can't be divided into ${MDA_REGIONS} regions`);
  if (mdaSize / BigInt(MDA_REGIONS) > MAX_REGION_SECTORS)
    fail(`its MDA size of ${mdaSize} sectors makes regions of more than ${MAX_REGION_SECTORS} sectors`);
  if (deviceSize * SECTOR_BYTES > MAX_DEVICE_BYTES)
    fail(`its device size of ${deviceSize} sectors is beyond what a block device can have`);
  if (bdaExtendedSize(header) > deviceSize)
    fail(
      `an MDA of ${mdaSize} sectors and ${reservedSize} reserved sectors don't fit a device of ${deviceSize} sectors`,
    );
}

/** The kernel counts bytes of a device in a signed 64-bit integer. */
const MAX_DEVICE_BYTES = 2n ** 63n - 1n;

/** What became of reading one copy. */
export type SigblockCopy = ParsedSigblock | { kind: "unreadable"; cause: unknown };

/** `repair`: the copy (0 or 1) that should be overwritten with `header`, null when both are good. */
export interface ResolvedSigblocks {
  header: StaticHeader | null;
  repair: 0 | 1 | null;
}

/**
 * Makes one header of two copies by the table of on-disk-format.md §5; a null header means that the device is not
 * Stratis's.
 *
 * Beyond the table: copies that differ in flags only resolve to the one without flags, and, given `actualSize`, the
 * sectors that the device really has, copies that differ in the device size only (an interrupted grow) resolve to the
 * larger one that fits (§21 row 7). Throws DiskFormatError where no choice is right.
 */
export function resolveSigblocks(
  copy1: SigblockCopy,
  copy2: SigblockCopy,
  actualSize: Sectors | null = null,
): ResolvedSigblocks {
  if (copy1.kind === "valid" && copy2.kind === "valid")
    return resolveValid(copy1.header, copy2.header, actualSize);
  if (copy1.kind === "valid") return { header: copy1.header, repair: 1 };
  if (copy2.kind === "valid") return { header: copy2.header, repair: 0 };

  const problems = [copy1, copy2].flatMap((copy, index) => describeBadCopy(copy, index));
  const readable = copy1.kind !== "unreadable" || copy2.kind !== "unreadable";
  if (readable && copy1.kind !== "invalid" && copy2.kind !== "invalid") return { header: null, repair: null };
  throw new DiskFormatError(`No valid Stratis signature block: ${problems.join("; ")}`);
}

function describeBadCopy(copy: SigblockCopy, index: number): string[] {
  if (copy.kind === "invalid") return [`copy ${index + 1} is damaged, ${copy.reason}`];
  if (copy.kind === "unreadable") return [`copy ${index + 1} can't be read: ${causeText(copy.cause)}`];
  return [];
}

function resolveValid(
  first: StaticHeader,
  second: StaticHeader,
  actualSize: Sectors | null,
): ResolvedSigblocks {
  const takeFirst: ResolvedSigblocks = { header: first, repair: 1 };
  const takeSecond: ResolvedSigblocks = { header: second, repair: 0 };
  if (equalHeaders(first, second)) {
    if (first.flags === second.flags) return { header: first, repair: null };
    // A mark that is on one copy only was not set, or not removed, to the end: the member counts as a good one.
    // Between two marks the first copy is the newer, because it is written first.
    return second.flags === 0n ? takeSecond : takeFirst;
  }
  if (first.initializationTime !== second.initializationTime)
    return first.initializationTime > second.initializationTime ? takeFirst : takeSecond;
  if (actualSize !== null && equalHeaders({ ...first, deviceSize: second.deviceSize }, second)) {
    const [larger, smaller] =
      first.deviceSize > second.deviceSize ? [takeFirst, takeSecond] : [takeSecond, takeFirst];
    if (larger.header !== null && larger.header.deviceSize <= actualSize) return larger;
    if (smaller.header !== null && smaller.header.deviceSize <= actualSize) return smaller;
    // The device has shrunk below both: whoever uses the header will see that, and both copies are kept as they are.
    return { header: smaller.header, repair: null };
  }
  throw new DiskFormatError(
    `The two Stratis signature blocks disagree and have the same initialization time, ` +
      `${first.initializationTime} s: copy 1 is of device ${first.devUuid} of pool ${first.poolUuid} with ` +
      `${first.deviceSize} sectors, copy 2 of device ${second.devUuid} of pool ${second.poolUuid} with ` +
      `${second.deviceSize} sectors`,
  );
}

/** on-disk-format.md §4.2: everything but the flags. */
export function equalHeaders(a: StaticHeader, b: StaticHeader): boolean {
  return (
    a.deviceSize === b.deviceSize &&
    a.version === b.version &&
    a.poolUuid === b.poolUuid &&
    a.devUuid === b.devUuid &&
    a.mdaSize === b.mdaSize &&
    a.reservedSize === b.reservedSize &&
    a.initializationTime === b.initializationTime
  );
}
