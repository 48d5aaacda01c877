/**
 * The metadata area (MDA): four regions that hold a pool's record, two generations of it in two copies each
 * (on-disk-format.md §6). Pure functions; reading and writing devices is in bda.ts.
 *
 * Regions 0 and 2 are one pair, 1 and 3 the other. Saves go to the pairs in turn, so that the pair that holds the
 * newest record is never the one that is written.
 */
import { sectors, SECTOR_BYTES, type Sectors } from "../units";
import { crc32c } from "./crc32c";
import { DiskFormatError } from "./errors";
import { MAX_UNIX_SECONDS, MDA_REGIONS, STATIC_HEADER_SECTORS, type StaticHeader } from "./static-header";

/** When a record was saved: Unix time, UTC. A pool's timestamps grow strictly. */
export interface Timestamp {
  seconds: bigint;
  /** 0 to 999 999 999 */
  nanoseconds: number;
}

const NANOSECONDS_PER_SECOND = 1_000_000_000;

/** Negative, zero or positive as `a` is earlier than, equal to or later than `b`. */
export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanoseconds - b.nanoseconds;
}

/** The timestamp of the next save: `now`, or one nanosecond after `last` where the clock has not moved beyond it. */
export function nextTimestamp(now: Timestamp, last: Timestamp | null): Timestamp {
  if (last === null || compareTimestamps(now, last) > 0) return now;
  if (last.nanoseconds + 1 < NANOSECONDS_PER_SECOND)
    return { seconds: last.seconds, nanoseconds: last.nanoseconds + 1 };
  return { seconds: last.seconds + 1n, nanoseconds: 0 };
}

export const timestampText = (time: Timestamp): string =>
  `${time.seconds}.${time.nanoseconds.toString().padStart(9, "0")}`;

/** A region (0 to 3); its pair is `region % 2`, which upstream calls the index. */
export type RegionNumber = 0 | 1 | 2 | 3;
export type PairNumber = 0 | 1;
export const REGIONS = [0, 1, 2, 3] as const;

export const pairOf = (region: RegionNumber): PairNumber => (region % 2) as PairNumber;
/** The two regions of a pair, in the order in which they are written. */
export const regionsOf = (pair: PairNumber): [RegionNumber, RegionNumber] => (pair === 0 ? [0, 2] : [1, 3]);

export const MDA_HEADER_BYTES = 32;

/** Where the regions of a device are. Call checkGeometry() on the header first. */
export interface MdaLayout {
  regionSize: Sectors;
  /** Bytes from the start of the device. */
  offsets: readonly [bigint, bigint, bigint, bigint];
  /** Length of the longest JSON that fits a region, in bytes. */
  maxJsonBytes: number;
}

export function mdaLayout(header: StaticHeader): MdaLayout {
  const regionSize = sectors(header.mdaSize / BigInt(MDA_REGIONS));
  const offset = (region: bigint): bigint => (STATIC_HEADER_SECTORS + region * regionSize) * SECTOR_BYTES;
  return {
    regionSize,
    offsets: [offset(0n), offset(1n), offset(2n), offset(3n)],
    maxJsonBytes: Number(regionSize * SECTOR_BYTES) - MDA_HEADER_BYTES,
  };
}

export interface MdaHeader {
  time: Timestamp;
  /** Length of the JSON in bytes, at least 1. */
  used: bigint;
  /** CRC-32C of the JSON. */
  dataCrc: number;
}

export type ParsedMdaHeader =
  | { kind: "valid"; header: MdaHeader }
  /** Nothing was ever written here. */
  | { kind: "empty" }
  | { kind: "damaged"; reason: string };

const REGION_VERSION = 1;
const METADATA_VERSION = 1;

const damaged = (reason: string): ParsedMdaHeader => ({ kind: "damaged", reason });

/** on-disk-format.md §6.2 */
export function parseMdaHeader(data: Uint8Array): ParsedMdaHeader {
  if (data.length !== MDA_HEADER_BYTES)
    throw new DiskFormatError(
      `The header of an MDA region has ${MDA_HEADER_BYTES} bytes, not ${data.length}`,
    );
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.readUInt32LE(0) !== crc32c(bytes.subarray(4)))
    return damaged("the checksum of its header is wrong");
  const [regionVersion, metadataVersion] = [bytes.readUInt8(28), bytes.readUInt8(29)];
  if (regionVersion !== REGION_VERSION || metadataVersion !== METADATA_VERSION)
    return damaged(`its versions are ${regionVersion} and ${metadataVersion} instead of 1 and 1`);
  const used = bytes.readBigUInt64LE(8);
  if (used === 0n) return { kind: "empty" };
  const time = { seconds: bytes.readBigUInt64LE(16), nanoseconds: bytes.readUInt32LE(24) };
  if (time.seconds > MAX_UNIX_SECONDS || time.nanoseconds >= NANOSECONDS_PER_SECOND)
    return damaged(`its time of ${time.seconds} s and ${time.nanoseconds} ns is not a date`);
  return { kind: "valid", header: { time, used, dataCrc: bytes.readUInt32LE(4) } };
}

/** The 32 bytes before the JSON. Throws RangeError for fields that don't fit theirs. */
export function encodeMdaHeader(header: MdaHeader): Buffer {
  const { seconds, nanoseconds } = header.time;
  if (seconds < 0n || seconds > MAX_UNIX_SECONDS || nanoseconds >= NANOSECONDS_PER_SECOND)
    throw new RangeError(`A time of ${seconds} s and ${nanoseconds} ns can't be written to an MDA region`);
  const bytes = Buffer.alloc(MDA_HEADER_BYTES);
  bytes.writeUInt32LE(header.dataCrc, 4);
  bytes.writeBigUInt64LE(header.used, 8);
  bytes.writeBigUInt64LE(seconds, 16);
  bytes.writeUInt32LE(nanoseconds, 24);
  bytes.writeUInt8(REGION_VERSION, 28);
  bytes.writeUInt8(METADATA_VERSION, 29);
  bytes.writeUInt32LE(crc32c(bytes.subarray(4)), 0);
  return bytes;
}

/** What a region begins with before anything was saved to it. Not zeros: those would be a damaged header. */
export const INITIAL_MDA_HEADER: Buffer = encodeMdaHeader({
  time: { seconds: 0n, nanoseconds: 0 },
  used: 0n,
  dataCrc: 0,
});

/** Headers of all four regions, as they are on the device. */
export type RegionHeaders = readonly [ParsedMdaHeader, ParsedMdaHeader, ParsedMdaHeader, ParsedMdaHeader];

/** A header that promises a record, with the regions that may hold it. */
export interface Candidate {
  header: MdaHeader;
  pair: PairNumber;
  /** The region whose own header it is comes first. */
  regions: readonly [RegionNumber, RegionNumber];
}

const equalMdaHeaders = (a: MdaHeader, b: MdaHeader): boolean =>
  compareTimestamps(a.time, b.time) === 0 && a.used === b.used && a.dataCrc === b.dataCrc;

/**
 * All records that the headers promise, newest first; at the same time those of pair 0 first (on-disk-format.md
 * §6.4). The newest record is that of the first candidate whose data, in either of its regions, has the right
 * checksum. So damage to the newest pair leads to the older one (§21 row 1), and headers that are damaged only matter
 * if their twin is too.
 */
export function metadataCandidates(headers: RegionHeaders): Candidate[] {
  const candidates: Candidate[] = [];
  for (const pair of [0, 1] as const) {
    const [primary, mirror] = regionsOf(pair);
    const [first, second] = [headers[primary], headers[mirror]];
    if (first.kind === "valid") candidates.push({ header: first.header, pair, regions: [primary, mirror] });
    const isTwin =
      first.kind === "valid" && second.kind === "valid" && equalMdaHeaders(first.header, second.header);
    if (second.kind === "valid" && !isTwin)
      candidates.push({ header: second.header, pair, regions: [mirror, primary] });
  }
  return candidates.sort((a, b) => compareTimestamps(b.header.time, a.header.time));
}

/**
 * Whether a device without any sound record is one to which no save was ever completed: nothing was written to it,
 * or the first save, which begins with region 0, was cut short there. Otherwise records are lost.
 */
export function neverSaved(headers: RegionHeaders): boolean {
  const [, ...others] = headers;
  return others.every(({ kind }) => kind === "empty");
}

/**
 * The pair that the next save overwrites: the one that does not hold the newest sound record. Without any sound
 * record it is the one with the worse headers, because upstream refuses a device of which one pair has none that is
 * readable, and, for equals, the one with the later time, lest what remains passes for the newest.
 */
export function pairToOverwrite(headers: RegionHeaders, newest: PairNumber | null): PairNumber {
  if (newest !== null) return newest === 0 ? 1 : 0;
  const rank = (pair: PairNumber): number => {
    const kinds = regionsOf(pair).map((region) => headers[region].kind);
    if (kinds.every((kind) => kind === "damaged")) return 2;
    return kinds.every((kind) => kind === "empty") ? 0 : 1;
  };
  if (rank(0) !== rank(1)) return rank(0) > rank(1) ? 0 : 1;
  return metadataCandidates(headers)[0]?.pair ?? 0;
}
