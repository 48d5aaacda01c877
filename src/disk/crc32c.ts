/**
 * CRC-32C (Castagnoli), the one checksum of Stratis's on-disk format and of XFS (on-disk-format.md §3).
 *
 * Not the CRC-32 that node:zlib computes: the polynomial is another one.
 */

/** 0x1EDC6F41 with its bits reversed, because data is taken least significant bit first. */
const REFLECTED_POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1)
    remainder = remainder & 1 ? (remainder >>> 1) ^ REFLECTED_POLYNOMIAL : remainder >>> 1;
  return remainder >>> 0;
});

/**
 * The checksum of `data`, 0 to 2^32 - 1. `previous` is the checksum of the bytes that come before `data`, for input
 * in pieces: crc32c(b, crc32c(a)) is the checksum of a followed by b.
 */
export function crc32c(data: Uint8Array, previous = 0): number {
  let crc = ~previous;
  for (const byte of data) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
