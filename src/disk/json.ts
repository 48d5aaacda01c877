/**
 * JSON without loss: sizes in Stratis's records reach 2^64 - 1, beyond what a JavaScript number holds
 * (on-disk-format.md §10.1).
 */
import { LosslessNumber, parse } from "lossless-json";
import { causeText, DiskFormatError } from "./errors";

/**
 * Integers of up to 20 digits are bigint. Every other number (a fraction, an exponent, minus zero, more digits) is a
 * LosslessNumber, which keeps its text: no record has a use for one, but it may occur under an unknown key.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | bigint
  | LosslessNumber
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = Readonly<Record<string, JsonValue>>;

export const isJsonObject = (value: JsonValue): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof LosslessNumber);

/** Array.isArray() alone would take the type of the items away. */
export const isJsonArray = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);

/** Levels of nesting that are accepted, as many as upstream's parser accepts. Records have six. */
const MAX_DEPTH = 127;

const parseNumber = (text: string): bigint | LosslessNumber =>
  /^(?:0|-?[1-9][0-9]{0,19})$/.test(text) ? BigInt(text) : new LosslessNumber(text);

/** Members of all objects in a valid document, told by their colons; twins are counted twice. */
function countMembersInText(text: string): number {
  let count = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (inString && char === "\\") index += 1;
    else if (char === '"') inString = !inString;
    else if (char === ":" && !inString) count += 1;
  }
  return count;
}

function countMembers(value: JsonValue, depth: number): number {
  if (depth > MAX_DEPTH) throw new DiskFormatError(`it is nested more than ${MAX_DEPTH} levels deep`);
  let own = 0;
  let children: readonly JsonValue[] = [];
  if (isJsonArray(value)) children = value;
  else if (isJsonObject(value)) {
    children = Object.values(value);
    own = children.length;
  }
  return children.reduce((sum, child) => sum + countMembers(child, depth + 1), own);
}

/** Throws DiskFormatError for text that is not exactly one JSON document, and for an object with a key given twice. */
export function parseJson(text: string): JsonValue {
  try {
    const value = parse(text, null, {
      parseNumber,
      onDuplicateKey: ({ key }) => {
        throw new DiskFormatError(`the key ${JSON.stringify(key)} is given twice`);
      },
    }) as JsonValue;
    // The library reports keys given twice only where their values differ.
    if (countMembers(value, 0) !== countMembersInText(text))
      throw new DiskFormatError("a key is given twice, with the same value");
    return value;
  } catch (error) {
    // Also RangeError: the library recurses, so very deep nesting exhausts the stack.
    throw new DiskFormatError(`Not a valid JSON document: ${causeText(error)}`, { cause: error });
  }
}

function print(value: JsonValue, keysOf: (object: JsonObject) => string[]): string {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof LosslessNumber) return value.value;
  if (isJsonArray(value)) return `[${value.map((item) => print(item, keysOf)).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = keysOf(value).map((key) => `${JSON.stringify(key)}:${print(value[key] ?? null, keysOf)}`);
  return `{${members.join(",")}}`;
}

/** Compact, with keys in their own order and integers in plain decimal. */
export const printJson = (value: JsonValue): string => print(value, Object.keys);

/** Compact, with the keys of every object sorted, for comparisons. */
export const printJsonSorted = (value: JsonValue): string =>
  print(value, (object) => Object.keys(object).sort());
