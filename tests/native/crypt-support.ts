/** LUKS2 on plain files, for the tests of encryption. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { native, type CryptFormatOptions, type KeyDerivation, type VolumeKey } from "../../src/native";
import { temporaryFolder } from "./support";

const MIB = 1024 * 1024;

/** So cheap that a test waits for nothing; nobody shall use it for real. */
export const CHEAP: { pbkdf: KeyDerivation } = { pbkdf: { type: "pbkdf2", iterations: 1000 } };

/** The sizes of headers of both metadata versions of Stratis. */
export const V1 = { metadataSize: 0x4000, keyslotsSize: 0xff8000, dataOffsetSectors: 32768n };
export const V2 = { metadataSize: 0x10000, keyslotsSize: 0xff8000, dataOffsetSectors: 34816n };
/** Small, because a new header is written in full and synchronised. */
export const COMPACT = { metadataSize: 0x4000, keyslotsSize: 0x100000, dataOffsetSectors: 4096n };

export const passphrase = (text: string): { passphrase: Buffer } => ({ passphrase: Buffer.from(text) });

/** A new file of so many MiB. */
export function diskFile(context: TestContext, mib: number): string {
  const file = path.join(temporaryFolder(context), "disk");
  fs.writeFileSync(file, "");
  fs.truncateSync(file, mib * MIB);
  return file;
}

/** A file of 4 MiB with the small header, so that the data begin at 2 MiB, and one keyslot for each of the passphrases. */
export async function luksFile(
  context: TestContext,
  passphrases: readonly string[],
  options: Partial<CryptFormatOptions> & { mib?: number } = {},
): Promise<{ file: string; volumeKey: VolumeKey }> {
  const { mib = 4, ...format } = options;
  const file = diskFile(context, mib);
  const volumeKey = await native().cryptFormat(file, { ...COMPACT, ...CHEAP, ...format });
  for (const text of passphrases)
    await native().cryptAddKeyslot(file, { volumeKey }, passphrase(text), CHEAP);
  return { file, volumeKey };
}

/** Bytes of a file. */
export function bytesAt(file: string, offset: number, length: number): Buffer {
  const fd = fs.openSync(file, "r");
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, offset));
  } finally {
    fs.closeSync(fd);
  }
}

export function overwrite(file: string, offset: number, bytes: Uint8Array): void {
  const fd = fs.openSync(file, "r+");
  try {
    fs.writeSync(fd, bytes, 0, bytes.length, offset);
  } finally {
    fs.closeSync(fd);
  }
}
