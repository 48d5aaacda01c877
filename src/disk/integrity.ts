/** Space that a V2 data device keeps for dm-integrity metadata (on-disk-format.md §8.4). No such device is made yet. */
import { sectors, SECTOR_BYTES, sectorsToBytes, type Bytes, type Sectors } from "../units";

export type IntegrityTag = "0b" | "32b" | "512b";

/** What the reservation is computed from; a pool's record keeps it. */
export interface IntegrityRecord {
  /** Bits of tag for each block. */
  tagSpec: IntegrityTag;
  journalSize: Sectors;
  /** 4096 in all pools. */
  blockSize: Bytes;
  allocateSuperblock: boolean;
}

const TAG_BYTES: Readonly<Record<IntegrityTag, bigint>> = { "0b": 0n, "32b": 4n, "512b": 64n };
const SUPERBLOCK_SECTORS = 8n;
const TAG_AREA_MULTIPLE_BYTES = 4096n;

/**
 * Sectors to reserve at the end of a device of `deviceSize` sectors. Tags are counted for the whole device, which is
 * a little more than is needed. Throws RangeError for a block size of zero.
 */
export function integrityReservation(deviceSize: Sectors, spec: IntegrityRecord): Sectors {
  const superblock = spec.allocateSuperblock ? SUPERBLOCK_SECTORS : 0n;
  const blocks = sectorsToBytes(deviceSize) / spec.blockSize;
  const tagBytes = blocks * TAG_BYTES[spec.tagSpec];
  const areas = (tagBytes + TAG_AREA_MULTIPLE_BYTES - 1n) / TAG_AREA_MULTIPLE_BYTES;
  return sectors(superblock + spec.journalSize + areas * (TAG_AREA_MULTIPLE_BYTES / SECTOR_BYTES));
}
