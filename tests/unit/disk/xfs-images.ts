/** XFS to test with: metadata volumes that stratisd and Linux 6.12 left, and what mkfs.xfs makes here. */
import { execFile } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { crc32c } from "../../../src/disk/crc32c";
import { MemoryBlockFile } from "../support/block-file";
import { gunzipFixture } from "./vectors";

const FIXTURE_BLOCK = 4096;
const MDV_BYTES = 512n * 1024n * 1024n;

/** The metadata volume of a golden pool: its blocks that are not zero, each with its offset in 8 bytes in front. */
export function mdvImage(pool: "v1_plain" | "v2_plain" | "v2_stopped"): MemoryBlockFile {
  const blocks = gunzipFixture(`xfs/mdv-${pool}.blocks.gz`);
  const image = new MemoryBlockFile(MDV_BYTES);
  for (let at = 0; at < blocks.length; at += 8 + FIXTURE_BLOCK)
    image.poke(blocks.readBigUInt64LE(at), blocks.subarray(at + 8, at + 8 + FIXTURE_BLOCK));
  return image;
}

/** Writes an image to a file of the same size, sparsely; mkfs.xfs's and our own are small in what is not zero. */
export async function writeSparse(image: MemoryBlockFile, file: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.truncate(Number(image.size));
    for (const { offset, data } of image.pages()) await handle.write(data, 0, data.length, Number(offset));
  } finally {
    await handle.close();
  }
}

const run = promisify(execFile);

/** Runs one of xfsprogs' or util-linux's programs, which live in sbin; resolves to its output. */
export async function runTool(file: string, args: string[]): Promise<string> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
  return (await run(file, args, { env, timeout: 120_000 })).stdout;
}

/** A folder of its own, removed after the test. */
export async function scratchFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "stratis-xfs-"));
  context.after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A sparse file of `size` bytes with a new XFS. */
export async function makeXfs(file: string, size: number, options: string[]): Promise<void> {
  const handle = await open(file, "w");
  await handle.truncate(size);
  await handle.close();
  await runTool("mkfs.xfs", ["-q", "-f", ...options, file]);
}

/** What other programs make of it: blkid's and xfs_db's UUID, and xfs_repair's opinion (it rejects when not sound). */
export async function judgeXfs(file: string): Promise<{ blkid: string; xfsDb: string }> {
  await runTool("xfs_repair", ["-n", "-f", file]);
  const blkid = (await runTool("blkid", ["-p", "-o", "value", "-s", "UUID", file])).trim();
  const xfsDb = (await runTool("xfs_db", ["-r", "-f", "-c", "uuid", file])).replace("UUID = ", "").trim();
  return { blkid, xfsDb };
}

/** A superblock at `offset` with a field changed, under a right checksum. */
export function editSector(image: MemoryBlockFile, offset: bigint, edit: (sb: Buffer) => void): void {
  const sb = image.peek(offset, 512);
  edit(sb);
  sb.writeUInt32LE(0, 224);
  sb.writeUInt32LE(crc32c(sb), 224);
  image.poke(offset, sb);
}

/** Superblock `group` with a field changed, under a right checksum. */
export function editSuperblock(image: MemoryBlockFile, group: number, edit: (sb: Buffer) => void): void {
  const first = image.peek(0n, 512);
  editSector(image, BigInt(group * first.readUInt32BE(84)) * BigInt(first.readUInt32BE(4)), edit);
}

/** Offsets of the log, and of the record at its end, found the slow way. */
export function locateLog(image: MemoryBlockFile): { log: bigint; record: bigint; blocks: number } {
  const sb = image.peek(0n, 512);
  const bits = BigInt(sb.readUInt8(124));
  const start = sb.readBigUInt64BE(48);
  const block = (start >> bits) * BigInt(sb.readUInt32BE(84)) + (start & ((1n << bits) - 1n));
  const log = block * BigInt(sb.readUInt32BE(4));
  const blocks = (sb.readUInt32BE(96) * sb.readUInt32BE(4)) / 512;
  let [record, newest] = [log, 0n];
  for (let index = 0; index < blocks; index += 1) {
    const header = image.peek(log + BigInt(index) * 512n, 512);
    if (header.readUInt32BE(0) === 0xfeedbabe && header.readBigUInt64BE(16) > newest) {
      newest = header.readBigUInt64BE(16);
      record = log + BigInt(index) * 512n;
    }
  }
  return { log, record, blocks };
}

export function editRecord(
  image: MemoryBlockFile,
  edit: (header: Buffer, data: Buffer) => void,
  options = { reseal: true },
): void {
  const { record } = locateLog(image);
  const header = image.peek(record, 512);
  const length = header.readUInt32BE(12);
  const data = image.peek(record + 512n, length);
  edit(header, data);
  if (options.reseal) {
    header.writeUInt32LE(0, 32);
    header.writeUInt32LE(crc32c(data, crc32c(header.subarray(0, 328))), 32);
  }
  image.poke(record, header);
  image.poke(record + 512n, data);
}
