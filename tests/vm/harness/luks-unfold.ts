/**
 * Encrypted golden images are kept with the data of their LUKS2 segment in plaintext, because ciphertext can't be
 * compressed. This encrypts them again in place, to the bytes that they had.
 */
import { createCipheriv, createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import * as path from "node:path";

const SECTOR_BYTES = 512;
const CHUNK_BYTES = 1024 * 1024;

interface LuksHeader {
  segments: Record<string, { offset: string; iv_tweak: string; encryption: string; sector_size: number }>;
}

/** aes-xts-plain64: each sector has its number as tweak. */
function encryptSectors(buffer: Buffer, firstSector: bigint, key: Buffer): void {
  for (let at = 0; at < buffer.length; at += SECTOR_BYTES) {
    const tweak = Buffer.alloc(16);
    tweak.writeBigUInt64LE(firstSector + BigInt(at / SECTOR_BYTES));
    const cipher = createCipheriv("aes-256-xts", key, tweak);
    cipher.update(buffer.subarray(at, at + SECTOR_BYTES)).copy(buffer, at);
  }
}

/** `folder`: of the golden pool, with luks.json, volume-key, extents.json and expected.json. Throws if the hash differs. */
export function unfoldLuks(folder: string, image: string): void {
  const json = (name: string): unknown => JSON.parse(readFileSync(path.join(folder, name), "utf8"));
  const segment = (json("luks.json") as LuksHeader).segments["0"];
  if (segment?.encryption !== "aes-xts-plain64" || segment.sector_size !== SECTOR_BYTES)
    throw new Error(`${folder}: its segment is encrypted in another way`);
  const { luks_offset_bytes: header } = json("expected.json") as { luks_offset_bytes: number };
  const { extents, sha256 } = json("extents.json") as { extents: [number, number][]; sha256: string };
  const key = readFileSync(path.join(folder, "volume-key"));
  const base = header + Number(segment.offset);
  const hash = createHash("sha256");
  const file = openSync(image, "r+");
  try {
    for (const [start, length] of extents)
      for (let at = start; at < start + length; at += CHUNK_BYTES) {
        const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, start + length - at));
        readSync(file, buffer, 0, buffer.length, at);
        encryptSectors(buffer, BigInt((at - base) / SECTOR_BYTES) + BigInt(segment.iv_tweak), key);
        hash.update(buffer);
        writeSync(file, buffer, 0, buffer.length, at);
      }
  } finally {
    closeSync(file);
  }
  const found = hash.digest("hex");
  if (found !== sha256)
    throw new Error(`${image}: the ciphertext has the hash ${found} instead of ${sha256}`);
}
