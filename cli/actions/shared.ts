/** What several actions need: unknown values, UUIDs, JSON documents, the pool that a command is about. */
import type { Context } from "../context";
import { UnexpectedValueError, messageOf } from "../errors";
import { parseJson, type Json } from "../format/json";
import { UNKNOWN } from "../format/size";
import { hyphenated } from "../format/uuid";
import type { ManagedObject } from "../managed-objects";
import { asBytes, asInteger, asOptional } from "../values";

export const orUnknown = (text: string | undefined): string => text ?? UNKNOWN;

export const yesNo = (flag: boolean | undefined): string =>
  flag === undefined ? UNKNOWN : flag ? "Yes" : "No";

/** A UUID as the user wants it in lists and detail views. */
export function uuidText({ unhyphenatedUuids }: Context, digits: string | undefined): string {
  if (digits === undefined) return UNKNOWN;
  return unhyphenatedUuids ? digits : hyphenated(digits);
}

/** (bs) that holds bytes; undefined both when there is no value and when there is no property. */
export const maybeSize = (object: ManagedObject, name: string): bigint | undefined =>
  object.maybe(name, (value) => asOptional(value, asBytes)) ?? undefined;

/** 1 or 2, or undefined for anything else. */
export function metadataVersion(pool: ManagedObject): 1 | 2 | undefined {
  const version = pool.maybe("MetadataVersion", asInteger);
  return version === 1n ? 1 : version === 2n ? 2 : undefined;
}

/** JSON that stratisd sent as text. Throws UnexpectedValueError. */
export function jsonFrom(text: string, what: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw new UnexpectedValueError(`${what} from stratisd cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Lines of text, each with its newline. */
export const linesText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
