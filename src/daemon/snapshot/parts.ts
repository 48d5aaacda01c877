/**
 * What a snapshot depends on: where anything of it is not as it was, Node must not start from the snapshot. The launcher
 * compares this text with what there is at a start (native/launcher/snapshot.cc).
 */
import { readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { nodeOptions } from "../../node-options";

/** In the environment of a process that makes a snapshot: the file for this text. */
export const PARTS_VARIABLE = "STRATIS_SNAPSHOT_PARTS";

const PIECE_BYTES = 256 * 1024;

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

/**
 * The line for the snapshot itself: its length in bytes, and its CRC-32, both decimal. Read piece by piece into the same
 * memory, which a daemon that goes on to run for months would not give back.
 */
export async function describeContent(file: string): Promise<string> {
  const { crc32 } = process.getBuiltinModule("node:zlib");
  const piece = Buffer.alloc(PIECE_BYTES);
  let size = 0;
  let checksum = 0;
  const handle = await open(file, "r");
  try {
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, size);
      if (bytesRead === 0) return `content ${size} ${checksum}\n`;
      size += bytesRead;
      checksum = crc32(piece.subarray(0, bytesRead), checksum);
    }
  } finally {
    await handle.close();
  }
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
