/** The two copies of a LUKS2 header as bytes. Layout: LUKS2 On-Disk Format Specification, sections 2 and 3. */
import { createHash } from "node:crypto";

/** Of the binary part of a header; the JSON text follows. */
const BINARY_BYTES = 4096;
const MAGIC = { primary: "LUKS\xba\xbe", secondary: "SKUL\xba\xbe" } as const;
const VERSION = 2;
const OFFSET = {
  version: 6,
  headerBytes: 8,
  sequence: 16,
  checksumAlgorithm: 72,
  ownOffset: 256,
  checksum: 448,
};
const ALGORITHM_BYTES = 32;
const CHECKSUM_BYTES = 64;

export type Json = Record<string, unknown>;

interface Copy {
  bytes: Buffer;
  sequence: bigint;
  json: Json;
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The members of an object that are objects, by name. */
export function membersOf(parent: Json, name: string): [string, Json][] {
  const value = parent[name];
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, Json] => isObject(entry[1]));
}

export const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((element) => typeof element === "string") : [];

function checksumOf(bytes: Buffer): Buffer {
  const blank = Buffer.from(bytes);
  blank.fill(0, OFFSET.checksum, OFFSET.checksum + CHECKSUM_BYTES);
  return createHash("sha256").update(blank).digest();
}

/** One copy of a header, null when it is not a right one. */
function parseCopy(bytes: Buffer, magic: string, ownOffset: number): Copy | null {
  if (bytes.length <= BINARY_BYTES || bytes.toString("latin1", 0, magic.length) !== magic) return null;
  const algorithm = bytes.toString(
    "latin1",
    OFFSET.checksumAlgorithm,
    OFFSET.checksumAlgorithm + ALGORITHM_BYTES,
  );
  if (
    bytes.readUInt16BE(OFFSET.version) !== VERSION ||
    bytes.readBigUInt64BE(OFFSET.headerBytes) !== BigInt(bytes.length) ||
    bytes.readBigUInt64BE(OFFSET.ownOffset) !== BigInt(ownOffset) ||
    algorithm.replace(/\0.*$/s, "") !== "sha256" ||
    !checksumOf(bytes).equals(bytes.subarray(OFFSET.checksum, OFFSET.checksum + 32))
  )
    return null;
  const end = bytes.indexOf(0, BINARY_BYTES);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8", BINARY_BYTES, end === -1 ? bytes.length : end));
  } catch {
    return null;
  }
  return isObject(json) ? { bytes, sequence: bytes.readBigUInt64BE(OFFSET.sequence), json } : null;
}

function encodeCopy(copy: Copy, magic: string, ownOffset: number): Buffer {
  const bytes = Buffer.alloc(copy.bytes.length);
  copy.bytes.copy(bytes, 0, 0, BINARY_BYTES);
  bytes.write(magic, 0, "latin1");
  bytes.writeBigUInt64BE(copy.sequence, OFFSET.sequence);
  bytes.writeBigUInt64BE(BigInt(ownOffset), OFFSET.ownOffset);
  // Shorter than what was there: things were only removed.
  bytes.write(JSON.stringify(copy.json), BINARY_BYTES, "utf8");
  bytes.fill(0, OFFSET.checksum, OFFSET.checksum + CHECKSUM_BYTES);
  checksumOf(bytes).copy(bytes, OFFSET.checksum);
  return bytes;
}

/** The newest right one of two copies, one after the other. */
function newestCopy(copies: Buffer): Copy | null {
  const half = copies.length / 2;
  if (!Number.isInteger(half)) return null;
  const found = [
    parseCopy(copies.subarray(0, half), MAGIC.primary, 0),
    parseCopy(copies.subarray(half), MAGIC.secondary, half),
  ].filter((copy) => copy !== null);
  const [newest] = found.sort((a, b) => (a.sequence > b.sequence ? -1 : 1));
  return newest ?? null;
}

/** The JSON of a LUKS2 header, from the bytes of both of its copies; null: neither is right. */
export const newestHeader = (copies: Buffer): Json | null => newestCopy(copies)?.json ?? null;

/** The same as text. */
export function newestHeaderJson(copies: Buffer): string | null {
  const json = newestHeader(copies);
  return json === null ? null : JSON.stringify(json);
}

/**
 * Both copies of the header, one after the other, with `json` in the place of the newest right copy's. Null: neither copy
 * is right. The new text may not be longer than the header has room for.
 */
export function changedHeader(copies: Buffer, json: Json): Buffer | null {
  const newest = newestCopy(copies);
  if (newest === null) return null;
  const changed = { ...newest, sequence: newest.sequence + 1n, json };
  return Buffer.concat([
    encodeCopy(changed, MAGIC.primary, 0),
    encodeCopy(changed, MAGIC.secondary, copies.length / 2),
  ]);
}
