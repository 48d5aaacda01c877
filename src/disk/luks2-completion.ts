/**
 * The end of an encryption, re-encryption or decryption in place of which all data are done, and which libcryptsetup was
 * interrupted in before it had changed the header to say so.
 *
 * When all data are done it destroys the keyslots of the old volume key, one by one, each first where its key is and
 * then in the header, and removes the marks of the operation last. What an interruption in between leaves must not be
 * given back to it. As long as the old key can be unlocked it would begin again at the first sector, and take data of
 * the new key for data of the old one: all would be lost (reencrypt_offset() in lib/luks2/luks2_reencrypt.c of 2.6 to
 * 2.8 has 0 for a header with one segment). When the old key can't be unlocked, nothing can resume the operation or
 * activate the device. The recovery of the last piece does the same while the header still says that the piece is in
 * work. Layout: LUKS2 On-Disk Format Specification, sections 3.2 to 3.6.
 */
import { changedHeader, isObject, membersOf, newestHeader, stringsOf, type Json } from "./luks2-header";

const PENDING = /^online-reencrypt/;

/** A range of the device, bytes. */
export interface ByteRange {
  offset: bigint;
  length: bigint;
}

/** The piece that was in work, the last one: it is done when none of its blocks is what it was before. */
export interface LastPiece {
  /** null: to the end of the device. */
  length: bigint | null;
  offset: bigint;
  blockBytes: number;
  /** As libcryptsetup, and Node's crypto, name it. */
  hash: string;
  /** Where the hashes of the blocks are as they were, one behind the other. */
  hashes: ByteRange;
}

/** What is missing of the end. */
export interface Completion {
  /** What has to be seen first; null: nothing. */
  unproven: LastPiece | null;
  /** Where keys of the old keyslots are, and hashes of the data: to be overwritten before the header is. */
  wiped: ByteRange[];
  /** Both copies of the header as they have to be. */
  copies: Buffer;
}

interface Numbered {
  number: string;
  content: Json;
}

interface Operation {
  mark: Numbered;
  current: Numbered[];
  previous: Numbered;
  final: Numbered;
  /** Digest of the volume key of a segment; undefined: it has none. */
  digestOf: (segment: Numbered) => string | undefined;
  keyslotsOf: (digest: string | undefined) => string[];
}

const numbered = (json: Json, name: string): Numbered[] =>
  membersOf(json, name)
    .map(([number, content]) => ({ number, content }))
    .sort((a, b) => Number(a.number) - Number(b.number));

/** The operation that is pending; null: there is none, or not of the kind that this daemon begins. */
function pendingOperation(json: Json): Operation | null {
  if (!isObject(json["config"]) || !isObject(json["config"]["requirements"])) return null;
  const requirements = stringsOf(json["config"]["requirements"]["mandatory"]);
  if (requirements.length === 0 || !requirements.every((name) => PENDING.test(name))) return null;
  const marks = numbered(json, "keyslots").filter(({ content }) => content["type"] === "reencrypt");
  const segments = numbered(json, "segments");
  const flagsOf = ({ content }: Numbered): string[] => stringsOf(content["flags"]);
  const flagged = (flag: string): Numbered[] => segments.filter((segment) => flagsOf(segment).includes(flag));
  const [previous, final] = [flagged("backup-previous"), flagged("backup-final")];
  const current = segments.filter((segment) => !flagsOf(segment).some((flag) => flag.startsWith("backup-")));
  const [[mark], [before], [then]] = [marks, previous, final];
  if (mark === undefined || before === undefined || then === undefined) return null;
  if (marks.length + previous.length + final.length > 3 || current.length + 2 !== segments.length)
    return null;
  if (mark.content["direction"] !== "forward") return null;
  const digests = numbered(json, "digests");
  return {
    mark,
    current,
    previous: before,
    final: then,
    digestOf: ({ number }) =>
      digests.find(({ content }) => stringsOf(content["segments"]).includes(number))?.number,
    keyslotsOf: (digest) =>
      digests
        .filter(({ number }) => number === digest)
        .flatMap(({ content }) => stringsOf(content["keyslots"])),
  };
}

/** The same text for the same members, in whatever order they are. */
const textOf = (object: Json): string =>
  JSON.stringify(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

function without(object: Json, name: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([member]) => member !== name));
}

const same = (operation: Operation, one: Numbered, other: Numbered): boolean =>
  operation.digestOf(one) === operation.digestOf(other) &&
  textOf(without(one.content, "flags")) === textOf(without(other.content, "flags"));

/** Of text of up to 19 digits; null: it is none. */
const numberOf = (value: unknown): bigint | null =>
  typeof value === "string" && /^\d{1,19}$/.test(value) ? BigInt(value) : null;

function areaOf({ content }: Numbered): ByteRange | null {
  const { area } = content;
  if (!isObject(area)) return null;
  const [offset, length] = [numberOf(area["offset"]), numberOf(area["size"])];
  return offset === null || length === null ? null : { offset, length };
}

const isInWork = ({ content }: Numbered): boolean => stringsOf(content["flags"]).includes("in-reencryption");

/** The last piece when it is in work and can be proven to be done; null otherwise. */
function pieceInWork({ mark, current, digestOf, final }: Operation): LastPiece | null {
  const last = current.at(-1);
  if (last === undefined || !isInWork(last)) return null;
  // What is before it is done, all of it.
  if (current.slice(0, -1).some((segment) => digestOf(segment) !== digestOf(final)) || current.length > 2)
    return null;
  const offset = numberOf(last.content["offset"]);
  const length = last.content["size"] === "dynamic" ? null : numberOf(last.content["size"]);
  const [{ area }, hashes] = [mark.content, areaOf(mark)];
  if (offset === null || hashes === null || !isObject(area) || area["type"] !== "checksum") return null;
  if (length === null && last.content["size"] !== "dynamic") return null;
  const { hash, sector_size: blockBytes } = area;
  if (typeof hash !== "string" || typeof blockBytes !== "number") return null;
  if (blockBytes < 512 || blockBytes > 65536 || blockBytes % 512 !== 0) return null;
  return { offset, length, blockBytes, hash, hashes };
}

/** A copy of `json` with nothing but what the operation was to end with; digests that belong to nothing go. */
function ended(json: Json, { final, digestOf }: Operation, gone: readonly string[]): Json {
  const digest = digestOf(final);
  const remaining = (keyslots: unknown): string[] =>
    stringsOf(keyslots).filter((keyslot) => !gone.includes(keyslot));
  const digests = membersOf(json, "digests").map(([number, content]): [string, Json] => [
    number,
    { ...content, keyslots: remaining(content["keyslots"]), segments: number === digest ? ["0"] : [] },
  ]);
  const used = digests.filter(
    ([, { keyslots, segments }]) => stringsOf(keyslots).length + stringsOf(segments).length > 0,
  );
  const tokens = membersOf(json, "tokens").map(([number, content]): [string, Json] => [
    number,
    { ...content, keyslots: remaining(content["keyslots"]) },
  ]);
  return {
    ...json,
    keyslots: Object.fromEntries(membersOf(json, "keyslots").filter(([number]) => !gone.includes(number))),
    tokens: Object.fromEntries(tokens),
    segments: { "0": without(final.content, "flags") },
    digests: Object.fromEntries(used),
    config: isObject(json["config"]) ? without(json["config"], "requirements") : {},
  };
}

/** Ranges outside of the area that keyslots have are nobody's to overwrite. */
function withinKeyslots({ offset, length }: ByteRange, json: Json, headersBytes: bigint): boolean {
  const size = isObject(json["config"]) ? numberOf(json["config"]["keyslots_size"]) : null;
  return size !== null && offset >= headersBytes && offset + length <= headersBytes + size;
}

/**
 * What is missing of the end of the operation in a LUKS2 header, when all of its data are done, or may be. `copies` are
 * the bytes of both copies of the header, one after the other: 2 × CryptHeader.metadataSize from the start of the
 * device. Null: there is no right header, or its operation is not at that point.
 */
export function missingEnd(copies: Buffer): Completion | null {
  const json = newestHeader(copies);
  const operation = json === null ? null : pendingOperation(json);
  if (json === null || operation === null) return null;
  const { mark, current, previous, final, digestOf, keyslotsOf } = operation;
  const [first] = current;
  const done =
    current.length === 1 && first !== undefined && !isInWork(first) && same(operation, first, final);
  // Where both sides look the same, nothing tells whether it has begun.
  if (same(operation, previous, final)) return null;
  const unproven = done ? null : pieceInWork(operation);
  if (!done && unproven === null) return null;
  const digest = digestOf(final);
  if (mark.content["mode"] !== "decrypt" && keyslotsOf(digest).length === 0) return null;
  const old = digestOf(previous) === digest ? [] : keyslotsOf(digestOf(previous));
  const gone = [mark.number, ...old];
  const wiped = numbered(json, "keyslots")
    .filter(({ number }) => gone.includes(number))
    .flatMap((keyslot) => areaOf(keyslot) ?? []);
  const headersBytes = BigInt(copies.length);
  if (!wiped.every((range) => withinKeyslots(range, json, headersBytes))) return null;
  const changed = changedHeader(copies, ended(json, operation, gone));
  return changed === null ? null : { unproven, wiped, copies: changed };
}
