/** The end of an operation in place that was interrupted when all data were done. */
import { createHash, randomBytes } from "node:crypto";
import { missingEnd, type ByteRange, type LastPiece } from "../../../disk/luks2-completion";
import { native, type BlockFile } from "../../../native";

const CHUNK_BYTES = 1024 * 1024;

/** Calls `use` with the range, piece by piece; `multiple`: each is a multiple of that many bytes. */
async function inChunks(
  { offset, length }: ByteRange,
  multiple: number,
  use: (at: bigint, bytes: number) => Promise<boolean>,
): Promise<boolean> {
  const chunk = BigInt(CHUNK_BYTES - (CHUNK_BYTES % multiple));
  for (let at = 0n; at < length; at += chunk)
    if (!(await use(offset + at, Number(length - at < chunk ? length - at : chunk)))) return false;
  return true;
}

/** Whether no block of the piece is what it was before. */
async function isProven(file: BlockFile, piece: LastPiece): Promise<boolean> {
  const length = piece.length ?? (await file.info()).size - piece.offset;
  const digest = (block: Uint8Array): Buffer => createHash(piece.hash).update(block).digest();
  const hashBytes = digest(Buffer.alloc(0)).length;
  const blocks = length / BigInt(piece.blockBytes);
  if (blocks * BigInt(piece.blockBytes) !== length || blocks * BigInt(hashBytes) > piece.hashes.length)
    return false;
  let hash = piece.hashes.offset;
  return await inChunks({ offset: piece.offset, length }, piece.blockBytes, async (at, bytes) => {
    const data = await file.read(at, bytes);
    const count = bytes / piece.blockBytes;
    const hashes = await readUnaligned(file, hash, count * hashBytes);
    hash += BigInt(count * hashBytes);
    for (let block = 0; block < count; block += 1) {
      const now = digest(data.subarray(block * piece.blockBytes, (block + 1) * piece.blockBytes));
      if (now.equals(hashes.subarray(block * hashBytes, (block + 1) * hashBytes))) return false;
    }
    return true;
  });
}

const ALIGNMENT = 4096n;

async function readUnaligned(file: BlockFile, offset: bigint, length: number): Promise<Buffer> {
  const before = offset % ALIGNMENT;
  const whole = (before + BigInt(length) + ALIGNMENT - 1n) / ALIGNMENT;
  const start = Number(before);
  return (await file.read(offset - before, Number(whole * ALIGNMENT))).subarray(start, start + length);
}

/**
 * Where libcryptsetup was interrupted when all data were done, brings the header to the end of its change. To be called
 * before anything that unlocks a device with a pending operation, and before the operation is resumed, since
 * libcryptsetup would destroy the data (src/disk/luks2-completion.ts), and while nothing runs on it. It can itself be
 * interrupted. False: it was not at that point, and nothing is changed.
 */
export async function completeReencryption(path: string): Promise<boolean> {
  const header = await native().cryptLoad(path);
  const state = header?.reencryption.state;
  if (header === null || (state !== "clean" && state !== "crash")) return false;
  // Past the page cache, which does not hear of what is written through another device over the same data.
  const file = await native().openBlockFile(path, { write: true, direct: path.startsWith("/dev/") });
  try {
    const end = missingEnd(await file.read(0n, 2 * header.metadataSize));
    if (end === null || (end.unproven !== null && !(await isProven(file, end.unproven)))) return false;
    // The data of the last piece may have been written, and no more than that.
    await file.sync();
    for (const range of end.wiped)
      await inChunks(range, 1, async (at, bytes) => {
        await file.write(at, randomBytes(bytes));
        return true;
      });
    await file.sync();
    // One after the other: of two copies the newer right one counts.
    for (const offset of [header.metadataSize, 0]) {
      await file.write(BigInt(offset), end.copies.subarray(offset, offset + header.metadataSize));
      await file.sync();
    }
    return true;
  } finally {
    await file.close();
  }
}
