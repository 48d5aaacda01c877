/** JSON documents of --json. Each is an object that tells the version of its form first. */
import { JsonNumber, jsonText, type Json } from "../format/json";

/** Grows when a member is renamed, removed or given another meaning; not when one is added. */
export const SCHEMA_VERSION = 1;

export const jsonInteger = (value: bigint | number): JsonNumber => new JsonNumber(value.toString());

/** The text of a document, with a newline; `oneLine` for streams of documents. */
export const documentText = (entries: readonly [string, Json][], { oneLine = false } = {}): string => {
  const document = new Map<string, Json>([["version", jsonInteger(SCHEMA_VERSION)], ...entries]);
  return `${jsonText(document, { indented: !oneLine, sorted: false })}\n`;
};
