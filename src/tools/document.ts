/** The metadata of a pool as JSON, from wherever it comes: how much is read of it, and how it is printed. */
import { causeText, DiskFormatError } from "../disk/errors";
import { parseJson, type JsonValue } from "../disk/json";
import { prettyJson } from "./pretty-json";
import type { Output } from "./tool";

/**
 * The longest document that is parsed, 4 MiB. Upstream's regions hold 254 KiB, which printing with indentation makes
 * some five times as long; parsing takes up to a hundred times the length in memory.
 */
export const MAX_DOCUMENT_BYTES = 1 << 22;

const PIECE_CHARACTERS = 1 << 16;

/** Throws DiskFormatError. */
export function parseDocument(json: Uint8Array): JsonValue {
  if (json.length > MAX_DOCUMENT_BYTES)
    throw new DiskFormatError(
      `it has ${json.length} bytes, and metadata of more than ${MAX_DOCUMENT_BYTES} bytes is not looked at`,
    );
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
  } catch (error) {
    throw new DiskFormatError(`it is not UTF-8: ${causeText(error)}`, { cause: error });
  }
  return parseJson(text);
}

/** Prints the document for people to read, with a line end. */
export function printDocument(document: JsonValue, output: Output): void {
  let pending = "";
  prettyJson(document, (piece) => {
    pending += piece;
    if (pending.length < PIECE_CHARACTERS) return;
    output.out(pending);
    pending = "";
  });
  output.out(`${pending}\n`);
}
