/**
 * What libcryptsetup leaves undone when it is interrupted at the very end of a re-encryption or decryption in place.
 *
 * When all data are done it first destroys the keyslots of the old volume key, one by one, and removes the marks of the
 * operation last. In between a header says that an operation is pending that nobody can resume, since that takes a
 * keyslot of the old key as well; nor can the device be activated. All that is missing is the end of the header's
 * change, and that is made up for here. Layout: LUKS2 On-Disk Format Specification, sections 2 and 3.
 */
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
const PENDING = /^online-reencrypt/;

type Json = Record<string, unknown>;

interface Copy {
  bytes: Buffer;
  sequence: bigint;
  json: Json;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The members of an object that are objects, by name. */
function membersOf(parent: Json, name: string): [string, Json][] {
  const value = parent[name];
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, Json] => isObject(entry[1]));
}

const stringsOf = (value: unknown): string[] =>
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

function withoutMember(object: Json, name: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([member]) => member !== name));
}

/** The same text for the same members, in whatever order they are. */
const textOf = (object: Json): string =>
  JSON.stringify(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The numbers of what has to go, null when the operation is not done or can be resumed. */
function leftOver(json: Json): { keyslots: string[]; segments: string[] } | null {
  if (!isObject(json["config"]) || !isObject(json["config"]["requirements"])) return null;
  const requirements = stringsOf(json["config"]["requirements"]["mandatory"]);
  if (requirements.length === 0 || !requirements.every((name) => PENDING.test(name))) return null;
  const marks = membersOf(json, "keyslots").filter(([, keyslot]) => keyslot["type"] === "reencrypt");
  const [mode] = marks.map(([, keyslot]) => keyslot["mode"]);
  if (marks.length !== 1 || (mode !== "reencrypt" && mode !== "decrypt")) return null;
  const segments = membersOf(json, "segments");
  const flagged = (flag: string): [string, Json][] =>
    segments.filter(([, segment]) => stringsOf(segment["flags"]).includes(flag));
  const [previous, final] = [flagged("backup-previous"), flagged("backup-final")];
  const current = segments.filter(([, segment]) => stringsOf(segment["flags"]).length === 0);
  const [[, now] = [], [finalNumber, then] = []] = [current[0], final[0]];
  // Before all data are done there are two segments, or one that is not yet the final one.
  if (current.length !== 1 || previous.length !== 1 || final.length !== 1 || segments.length !== 3)
    return null;
  if (
    now === undefined ||
    then === undefined ||
    textOf(withoutMember(now, "flags")) !== textOf(withoutMember(then, "flags"))
  )
    return null;
  const keyslotsOf = (segment: string | undefined): string[] =>
    membersOf(json, "digests")
      .filter(([, digest]) => segment !== undefined && stringsOf(digest["segments"]).includes(segment))
      .flatMap(([, digest]) => stringsOf(digest["keyslots"]));
  if (keyslotsOf(previous[0]?.[0]).length > 0) return null;
  if (mode === "reencrypt" && keyslotsOf(finalNumber).length === 0) return null;
  return {
    keyslots: marks.map(([number]) => number),
    segments: [...previous, ...final].map(([number]) => number),
  };
}

/** A copy of `json` without the marks of the operation, nor digests that belong to nothing. */
function without(json: Json, left: { keyslots: string[]; segments: string[] }): Json {
  const keep = (name: string, gone: string[]): Json =>
    Object.fromEntries(membersOf(json, name).filter(([number]) => !gone.includes(number)));
  const digests = membersOf(json, "digests").map(([number, digest]): [string, Json] => [
    number,
    {
      ...digest,
      keyslots: stringsOf(digest["keyslots"]).filter((keyslot) => !left.keyslots.includes(keyslot)),
      segments: stringsOf(digest["segments"]).filter((segment) => !left.segments.includes(segment)),
    },
  ]);
  const used = digests.filter(
    ([, { keyslots, segments }]) => stringsOf(keyslots).length + stringsOf(segments).length > 0,
  );
  return {
    ...json,
    keyslots: keep("keyslots", left.keyslots),
    segments: keep("segments", left.segments),
    digests: Object.fromEntries(used),
    config: isObject(json["config"]) ? withoutMember(json["config"], "requirements") : {},
  };
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
export function newestHeaderJson(copies: Buffer): string | null {
  const newest = newestCopy(copies);
  return newest === null ? null : JSON.stringify(newest.json);
}

/**
 * Both copies of a LUKS2 header as they would be if its re-encryption or decryption had come to its end. `copies` are
 * the bytes of both, one after the other: 2 × CryptHeader.metadataSize from the start of the device. Null: there is no
 * such header, or its operation is not at that point.
 */
export function completedReencryption(copies: Buffer): Buffer | null {
  const half = copies.length / 2;
  const newest = newestCopy(copies);
  if (newest === null) return null;
  const left = leftOver(newest.json);
  if (left === null) return null;
  const completed = { ...newest, sequence: newest.sequence + 1n, json: without(newest.json, left) };
  return Buffer.concat([
    encodeCopy(completed, MAGIC.primary, 0),
    encodeCopy(completed, MAGIC.secondary, half),
  ]);
}
