/** Rules for what clients may ask for: names, sizes, paths, integrity reservations, unlock methods (engine.md §4). */
import { bytes, sectors, type Bytes, type Sectors, SECTOR_BYTES } from "../units";
import type { EncryptionRequest, IntegrityRequest, IntegrityTagSpec } from "./engine";
import { EngineError } from "./errors";

const MAX_NAME_BYTES = 255;
/** Unicode White_Space; JavaScript's trim() also takes U+FEFF, which is not in it. */
const WHITE_SPACE =
  "[\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const EDGE_WHITE_SPACE = new RegExp(`^${WHITE_SPACE}|${WHITE_SPACE}$`, "u");
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;
const FORBIDDEN_ASCII = /[\u0020-\u007e]/g;
/** The comma is in upstream's set, by way of the range from "+" to ".". A slash is refused further down. */
const ALLOWED_ASCII = /[0-9A-Za-z#+,\-./:=@_]/;

/** Throws EngineError, naming the rule, unless `name` is a legal name for a pool or filesystem. */
export function validateName(name: string): void {
  const refuse = (why: string): never => {
    throw new EngineError(`Provided name ${JSON.stringify(name)} ${why}`);
  };
  if (name === "") refuse("is empty");
  if (name.includes("\0")) refuse("contains a null character");
  if (name === "." || name === "..") refuse("is . or ..");
  if (Buffer.byteLength(name, "utf8") > MAX_NAME_BYTES) refuse(`has more than ${MAX_NAME_BYTES} bytes`);
  if (EDGE_WHITE_SPACE.test(name)) refuse("begins or ends with white space");
  if (CONTROL_CHARACTER.test(name)) refuse("contains control characters");
  for (const [character] of name.matchAll(FORBIDDEN_ASCII)) {
    if (!ALLOWED_ASCII.test(character))
      refuse(`contains the character ${JSON.stringify(character)}, which is not allowed`);
  }
  if (name.includes("/")) refuse("contains a slash");
}

export const MIN_FILESYSTEM_SIZE: Sectors = sectors(1048576n);
export const DEFAULT_FILESYSTEM_SIZE: Sectors = sectors(2147483648n);
const MAX_FILESYSTEM_BYTES = (2n ** 64n - 1n) * SECTOR_BYTES;

/** Checks a filesystem size or size limit in bytes and returns it in sectors. `what` begins the error text. */
export function validateFilesystemSize(size: bigint, what: string): Sectors {
  if (size > MAX_FILESYSTEM_BYTES)
    throw new EngineError(`${what} of ${size} bytes exceeds the maximum of ${MAX_FILESYSTEM_BYTES} bytes`);
  if (size < 0n || size % SECTOR_BYTES !== 0n)
    throw new EngineError(`${what} of ${size} bytes is not a multiple of ${SECTOR_BYTES} bytes`);
  const result = sectors(size / SECTOR_BYTES);
  if (result < MIN_FILESYSTEM_SIZE)
    throw new EngineError(
      `${what} of ${size} bytes is less than the minimum of ${MIN_FILESYSTEM_SIZE * SECTOR_BYTES} bytes`,
    );
  return result;
}

/** Throws EngineError listing every path that is not absolute. */
export function validatePaths(paths: readonly string[]): void {
  const relative = paths.filter((path) => !path.startsWith("/"));
  if (relative.length > 0) throw new EngineError(`Paths{${relative.join(", ")}} are not absolute`);
}

/** A validated reservation, as pool metadata records it. */
export interface IntegritySpec {
  tagSpec: IntegrityTagSpec;
  journalSize: Sectors;
  /** Always 4096. */
  blockSize: Bytes;
  allocateSuperblock: boolean;
}

const INTEGRITY_BLOCK_BYTES = 4096n;
const DEFAULT_JOURNAL_BYTES = 128n * 1024n * 1024n;

export function validateIntegrity(request: IntegrityRequest): IntegritySpec {
  const tagSpec = request.tagSpec ?? "512b";
  if (tagSpec !== "0b" && tagSpec !== "32b" && tagSpec !== "512b")
    throw new EngineError(
      `Failed to parse integrity tag specification: ${JSON.stringify(tagSpec)} is none of 0b, 32b, 512b`,
    );
  const journal = request.journalSize ?? bytes(DEFAULT_JOURNAL_BYTES);
  if (journal < 0n || journal % INTEGRITY_BLOCK_BYTES !== 0n)
    throw new EngineError(
      `Integrity journal size of ${journal} bytes is not a multiple of the block size of ${INTEGRITY_BLOCK_BYTES} bytes`,
    );
  return {
    tagSpec,
    journalSize: sectors(journal / SECTOR_BYTES),
    blockSize: bytes(INTEGRITY_BLOCK_BYTES),
    allocateSuperblock: request.allocateSuperblock ?? true,
  };
}

/** Unlock methods of a pool: a re-encryption needs two LUKS2 keyslots for each, and one of its own, of 32. */
export const MAX_TOKENS = 15;

/** Of a LUKS2 header, from 0. */
const TOKEN_SLOTS = 32;

/** Throws EngineError for a token slot that no header has; null is any. */
export function validateTokenSlot(slot: number | null): void {
  if (slot !== null && slot >= TOKEN_SLOTS)
    throw new EngineError(
      `Token slot ${slot} does not exist: an encrypted pool has the slots 0 to ${TOKEN_SLOTS - 1}`,
    );
}

/**
 * What is to be bound: a key description that is asked for more than once without a slot is bound once. Throws
 * EngineError for more unlock methods than a pool has, for a slot that is asked for twice, and for one that no header
 * has.
 */
export function validateEncryption({ keys, clevis }: EncryptionRequest): EncryptionRequest {
  const isFirst = ({ slot, description }: EncryptionRequest["keys"][number], index: number): boolean =>
    slot !== null || keys.findIndex((key) => key.slot === null && key.description === description) === index;
  const request = { keys: keys.filter(isFirst), clevis };
  const wanted = [...request.keys, ...clevis];
  if (wanted.length > MAX_TOKENS)
    throw new EngineError(
      `${wanted.length} unlock methods were provided, where an encrypted pool can have ${MAX_TOKENS} at most`,
    );
  const slots = wanted.flatMap(({ slot }) => (slot === null ? [] : [slot]));
  slots.forEach(validateTokenSlot);
  const twin = slots.find((slot, index) => slots.indexOf(slot) !== index);
  if (twin !== undefined) throw new EngineError(`Token slot ${twin} already taken`);
  return request;
}
