/** The metadata of a pool as JSON, from wherever it comes: how much is read of it, and how it is printed. */
import { open, type FileHandle } from "node:fs/promises";
import { causeText, DiskFormatError } from "../disk/errors";
import { parseJson, type JsonValue } from "../disk/json";
import { prettyJson } from "./pretty-json";
import { ToolError, type Output } from "./tool";

/**
 * The longest document that is parsed, 4 MiB. Upstream's regions hold 254 KiB, which printing with indentation makes
 * some five times as long; parsing takes up to a hundred times the length in memory.
 */
export const MAX_DOCUMENT_BYTES = 1 << 22;

const PIECE_CHARACTERS = 1 << 16;

/** The content of a file or pipe. Of one that is too long no more is read than shows it. Throws ToolError. */
export async function readDocument(path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      return await readWhole(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new ToolError(`Error opening file: "${path}": ${causeText(error)}`, { cause: error });
  }
}

async function readWhole(file: FileHandle): Promise<Buffer> {
  if ((await file.stat()).isBlockDevice())
    throw new Error("it is a block device; stratis-dumpmetadata --only=pool prints the metadata of one");
  const buffer = Buffer.alloc(MAX_DOCUMENT_BYTES + 1);
  for (let length = 0; length < buffer.length;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new Error(`it has more than ${MAX_DOCUMENT_BYTES} bytes, which no pool's metadata has`);
}

/** Throws DiskFormatError. */
export function parseDocument(json: Uint8Array): JsonValue {
  if (json.length > MAX_DOCUMENT_BYTES)
    throw new DiskFormatError(
      `it has ${json.length} bytes, where no pool's has more than ${MAX_DOCUMENT_BYTES}`,
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
