/** Arguments of method calls in the engine's terms (dbus-api.md §3, §5.2). Refusals are EngineError: return_code 1. */
import { EngineError } from "../../engine/errors";
import type { EncryptionRequest, PoolIdentifier, UnlockMethod } from "../../engine/engine";
import { poolUuid } from "../../uuid";
import { canonicalJson } from "../json";

/** (bT) */
type Optional<T> = [boolean, T];

export const optional = <T>([present, value]: Optional<T>): T | null => (present ? value : null);

const MAX_SIZE = 2n ** 128n - 1n;

/** Decimal text of an unsigned 128-bit number, or null for any other text. */
export function parseSize(text: string): bigint | null {
  if (!/^\+?[0-9]{1,64}$/.test(text)) return null;
  const size = BigInt(text.replace("+", ""));
  return size <= MAX_SIZE ? size : null;
}

/** An optional size in bytes; `what` names it in the error. */
export function optionalSize(argument: Optional<string>, what: string): bigint | null {
  const text = optional(argument);
  if (text === null) return null;
  const size = parseSize(text);
  if (size === null) throw new EngineError(`Could not parse ${what} string ${text} to integer value`);
  return size;
}

/** A semicolon separates fields in the kernel's listing of keys. */
export function keyDescription(text: string): string {
  if (text.includes(";")) throw new EngineError(`Key description ${text} contains a ';'`);
  return text;
}

/** Unlock methods of r0 to r7: one of each kind, the key in token slot 1, Clevis in token slot 2. */
export function singleEncryption(
  key: Optional<string>,
  clevis: Optional<[pin: string, json: string]>,
): EncryptionRequest {
  const description = optional(key);
  const binding = optional(clevis);
  return {
    keys: description === null ? [] : [{ slot: 1, description: keyDescription(description) }],
    clevis: binding === null ? [] : [{ slot: 2, pin: binding[0], config: canonicalJson(binding[1]) }],
  };
}

/** Unlock methods of r8 and later. A slot that is named twice is refused. */
export function slottedEncryption(
  keys: [Optional<number>, string][],
  clevis: [Optional<number>, string, string][],
): EncryptionRequest {
  const request = {
    keys: keys.map(([slot, text]) => ({ slot: optional(slot), description: keyDescription(text) })),
    clevis: clevis.map(([slot, pin, json]) => ({ slot: optional(slot), pin, config: canonicalJson(json) })),
  };
  const taken = new Set<number>();
  for (const { slot } of [...request.keys, ...request.clevis]) {
    if (slot === null) continue;
    if (taken.has(slot)) throw new EngineError(`Token slot ${slot} already taken`);
    taken.add(slot);
  }
  return request;
}

const UNLOCK_WORDS: ReadonlyMap<string, UnlockMethod> = new Map<string, UnlockMethod>([
  ["any", "any"],
  ["keyring", 1],
  ["clevis", 2],
]);

/** The words of r0 to r7, in any case: clients send lower case, upstream 3.9 takes only "Any" (§21, trap 1). */
export function unlockWord(word: string): UnlockMethod {
  const method = UNLOCK_WORDS.get(word.toLowerCase());
  if (method === undefined) throw new EngineError(`${word} is an invalid unlock method`);
  return method;
}

/** A word that counts only when the boolean is true. */
export const optionalUnlockWord = ([present, word]: Optional<string>): UnlockMethod =>
  present ? unlockWord(word) : null;

/** r8 and later: none, any, or a token slot. */
export const unlockSlot = ([present, slot]: Optional<Optional<number>>): UnlockMethod =>
  present ? (optional(slot) ?? "any") : null;

/** A pool by "uuid" or "name". Throws UuidError for what is not a UUID. */
export function poolIdentifier(id: string, idType: string): PoolIdentifier {
  switch (idType) {
    case "uuid":
      return { by: "uuid", uuid: poolUuid(id) };
    case "name":
      return { by: "name", name: id };
    default:
      throw new EngineError(`ID type ${idType} not recognized`);
  }
}
