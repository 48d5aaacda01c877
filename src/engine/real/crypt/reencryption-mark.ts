/**
 * A token in the header that says what a re-encryption began with. libcryptsetup's marks of one are there from its
 * begin to its end; this one is there from before the first new keyslot until the pool's record tells of the end, so
 * that what is interrupted before or after is taken back or recorded. Other programs ignore tokens of types that they
 * do not know.
 */
import { isJsonArray, isJsonObject, parseJson } from "../../../disk/json";
import { DiskFormatError } from "../../../disk/errors";
import type { CryptHeader } from "../../../native";
import type { RawToken } from "./tokens";

const TYPE = "stratis-reencryption";

export interface ReencryptionMark {
  /** Of the token. */
  slot: number;
  /** Keyslots that there were before: of the old key, and of others that encrypt nothing. */
  bound: number[];
  unbound: number[];
}

/** The token's JSON, from the header as it is before anything is added. */
export function reencryptionMark({ keyslots }: Pick<CryptHeader, "keyslots">): string {
  const numbers = (wanted: boolean): number[] =>
    keyslots.filter(({ unbound }) => unbound === wanted).map(({ keyslot }) => keyslot);
  return JSON.stringify({ type: TYPE, keyslots: [], bound: numbers(false), unbound: numbers(true) });
}

/** The mark of a header; null: it has none. Throws DiskFormatError for one that makes no sense. */
export function findReencryptionMark(tokens: readonly RawToken[]): ReencryptionMark | null {
  for (const { slot, json } of tokens) {
    const token = parseJson(json);
    if (!isJsonObject(token) || token["type"] !== TYPE) continue;
    const list = (name: string): number[] => {
      const value = token[name];
      if (value === undefined || !isJsonArray(value) || !value.every((item) => typeof item === "bigint"))
        throw new DiskFormatError(`LUKS2 token ${slot}: "${name}" is not a list of numbers`);
      return value.map(Number);
    };
    return { slot, bound: list("bound"), unbound: list("unbound") };
  }
  return null;
}

/**
 * What became of the re-encryption, by a header in which none is pending: it is done when the keyslots of the old key
 * are gone; otherwise it had not begun, and `added` are the keyslots of the key that it was to be.
 */
export function outcomeOf(
  { bound, unbound }: ReencryptionMark,
  { keyslots }: Pick<CryptHeader, "keyslots">,
): { done: true } | { done: false; added: number[] } {
  const now = keyslots.map(({ keyslot }) => keyslot);
  if (!now.some((keyslot) => bound.includes(keyslot))) return { done: true };
  return {
    done: false,
    added: now.filter((keyslot) => !bound.includes(keyslot) && !unbound.includes(keyslot)),
  };
}
