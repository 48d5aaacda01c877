/**
 * Everything that Stratis keeps on one device, as text (system.md §20.1). Reads only. What is read may be anything:
 * of the device at most the signature blocks and one region of the MDA are held at a time.
 */
import { readMetadata, readRegionHeaders, readSigblockBytes } from "../disk/bda";
import { causeText, DiskFormatError } from "../disk/errors";
import { compareTimestamps, mdaLayout, metadataCandidates, regionsOf, type RegionHeaders } from "../disk/mda";
import {
  equalHeaders,
  parseSigblock,
  resolveSigblocks,
  type SigblockCopy,
  type StaticHeader,
} from "../disk/static-header";
import type { BlockFile } from "../native";
import { bytes, bytesToSectors } from "../units";
import { bdaText, dateText, staticHeaderText } from "./debug-form";
import { parseDocument, printDocument } from "./document";
import { hexDump } from "./hex-dump";
import { ToolError, type Output } from "./tool";

export interface DumpOptions {
  /** Print the bytes of the signature blocks too. */
  printBytes: boolean;
  /** Print the pool's metadata only, for programs to read. */
  onlyPool: boolean;
}

interface ReadCopy {
  parsed: SigblockCopy;
  /** Or why there are none. */
  bytes: Buffer | string;
}

async function readCopy(file: BlockFile, copy: 0 | 1): Promise<ReadCopy> {
  let block: Buffer;
  try {
    block = await readSigblockBytes(file, copy);
  } catch (cause) {
    return { parsed: { kind: "unreadable", cause }, bytes: causeText(cause) };
  }
  return { parsed: parseSigblock(block), bytes: block };
}

function copyText(copy: SigblockCopy): string {
  switch (copy.kind) {
    case "valid":
      return staticHeaderText(copy.header);
    case "none":
      return "No signature buffer";
    case "invalid":
      return `Error: signature block unusable: ${copy.reason}`;
    case "unreadable":
      return "Unreadable";
  }
}

function copySection(title: string, { parsed, bytes: read }: ReadCopy, { printBytes }: DumpOptions): string {
  const dump = typeof read === "string" ? read : hexDump(read);
  return `${title}: \n\nHeader:\n${copyText(parsed)}\n${printBytes ? `\n\nBytes:\n\n${dump}` : ""}\n`;
}

const sayTheSame = (a: SigblockCopy, b: SigblockCopy): boolean =>
  a.kind === "valid" &&
  b.kind === "valid" &&
  equalHeaders(a.header, b.header) &&
  a.header.flags === b.header.flags;

function sigblocksText(first: ReadCopy, second: ReadCopy, options: DumpOptions): string {
  return sayTheSame(first.parsed, second.parsed)
    ? copySection("Signature block", first, options)
    : copySection("Signature block 1", first, options) + copySection("Signature block 2", second, options);
}

/** `during` begins the message of the ToolError that a DiskFormatError becomes. */
async function failingAs<T>(during: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DiskFormatError)
      throw new ToolError(`${during}: ${error.message}`, { cause: error });
    throw error;
  }
}

async function findHeader(file: BlockFile, first: ReadCopy, second: ReadCopy): Promise<StaticHeader> {
  const deviceSize = bytesToSectors(bytes((await file.info()).size));
  const { header } = await failingAs("No valid StaticHeader found", () =>
    resolveSigblocks(first.parsed, second.parsed, deviceSize),
  );
  if (header === null) throw new ToolError("No valid Stratis signature found");
  return header;
}

/** Upstream refuses a device of which a pair of regions has no readable header, so that has to be told. */
function requireReadablePairs(headers: RegionHeaders): void {
  for (const pair of [0, 1] as const) {
    const regions = regionsOf(pair);
    const reasons = regions.flatMap((region) => {
      const found = headers[region];
      return found.kind === "damaged" ? [`MDA region ${region}: ${found.reason}`] : [];
    });
    if (reasons.length === regions.length)
      throw new ToolError(`BDA detected but error found: ${reasons.join("; ")}`);
  }
}

/**
 * Prints what is on the device. What is damaged is left out and told at the end by a ToolError, if it made a
 * difference, and otherwise on standard error.
 */
export async function dumpMetadata(file: BlockFile, options: DumpOptions, output: Output): Promise<void> {
  const { onlyPool } = options;
  const [first, second] = [await readCopy(file, 0), await readCopy(file, 1)];
  if (!onlyPool) output.out(sigblocksText(first, second, options));
  const header = await findHeader(file, first, second);
  const headers = await failingAs("BDA detected but error found", () => readRegionHeaders(file, header));
  if (!onlyPool)
    output.out(`\n${bdaText(header, mdaLayout(header).regionSize, headers)}\n\nPool metadata:\n`);

  const { newest, damaged } = await failingAs("Error during load state", () => readMetadata(file, header));
  for (const text of damaged) output.err(`Damaged: ${text}\n`);
  if (newest !== null) {
    const document = await failingAs("Error during state JSON extract", () => parseDocument(newest.json));
    printDocument(document, output);
  } else if (!onlyPool) output.out("None found\n");

  requireReadablePairs(headers);
  const [promised] = metadataCandidates(headers);
  if (newest !== null && promised !== undefined && compareTimestamps(newest.time, promised.header.time) < 0)
    throw new ToolError(
      `Error during load state: the metadata of ${dateText(promised.header.time)} is lost; that of ` +
        `${dateText(newest.time)} was printed instead`,
    );
}
