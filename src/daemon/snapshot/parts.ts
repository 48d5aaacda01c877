/**
 * What a snapshot depends on: where anything of it is not as it was, Node must not start from the snapshot. The launcher
 * compares this text with what there is at a start (native/launcher/snapshot.cc).
 */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { crc32 } from "node:zlib";
import { nodeOptions } from "../../node-options";

/** In the environment of a process that makes a snapshot: the file for this text. */
export const PARTS_VARIABLE = "STRATIS_SNAPSHOT_PARTS";

function fileLine(path: string): string {
  const { size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `file ${size} ${mtimeNs} ${ctimeNs} ${path}`;
}

/** Paths of files that are mapped into this process: Node and its libraries. */
const mappedFiles = (maps: string): string[] =>
  maps.split("\n").flatMap((line) => /^(?:\S+\s+){5}(\/.*)$/.exec(line)?.[1] ?? []);

/** The features of the processor as the kernel names them, for which V8 may have made code. */
const processorLine = (information: string): string =>
  `processor ${/^(?:flags|Features).*$/m.exec(information)?.[0] ?? ""}`;

/** The line for the snapshot itself: its length in bytes, and its CRC-32, both decimal. */
export async function describeContent(file: string): Promise<string> {
  let size = 0;
  let checksum = 0;
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
    size += piece.length;
    checksum = crc32(piece, checksum);
  }
  return `content ${size} ${checksum}\n`;
}

/** Of this process and the script that it runs. Throws when a file is not there any more. */
export function describeParts(script: string): string {
  const files = new Set([...mappedFiles(readFileSync("/proc/self/maps", "utf8")), script]);
  const lines = [
    ["options", ...nodeOptions()].join(" "),
    processorLine(readFileSync("/proc/cpuinfo", "utf8")),
    ...[...files].sort().map(fileLine),
  ];
  return `${lines.join("\n")}\n`;
}
