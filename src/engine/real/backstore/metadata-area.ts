/** How large the metadata area of a new device is (on-disk-format.md §6, §21 row 16). */
import { mdaLayout } from "../../../disk/mda";
import { DEFAULT_MDA_SIZE, MDA_REGIONS, type StaticHeader } from "../../../disk/static-header";
import { sectors, SECTOR_BYTES, type Sectors } from "../../../units";
import { DATA_EXTENSION_SECTORS } from "./allocation";

/** Of a record without devices. */
const BASE_BYTES = 8192n;
/** Of a device: its entry with the longest texts, and some segments of it. */
const BYTES_PER_DEVICE = 1536n;
/** Of a range of the cap device: one for each time that the pool grows. */
const BYTES_PER_RANGE = 64n;
/** Four regions that are larger by this make the area larger by 1 MiB, so that data begin at whole MiB still. */
const STEP_SECTORS = 512n;
/** 16 MiB, for more than ten thousand devices. */
const MAX_REGION_SECTORS = 32768n;

/** Bytes of the longest record that a device takes. */
export const recordRoom = (header: StaticHeader): number => mdaLayout(header).maxJsonBytes;

const regionBytes = (region: bigint): bigint => region * SECTOR_BYTES - 32n;

/**
 * The area for a device of a pool with so many devices, of so many sectors in all: stratisd's as long as the record of
 * such a pool fits that for certain, otherwise a larger one, which stratisd reads as well.
 */
export function metadataAreaSize(devices: number, size: Sectors): Sectors {
  const ranges = size / DATA_EXTENSION_SECTORS + 1n;
  const needed = BASE_BYTES + BigInt(devices) * BYTES_PER_DEVICE + ranges * BYTES_PER_RANGE;
  let region = DEFAULT_MDA_SIZE / BigInt(MDA_REGIONS);
  while (regionBytes(region) < needed && region + STEP_SECTORS <= MAX_REGION_SECTORS) region += STEP_SECTORS;
  return sectors(region * BigInt(MDA_REGIONS));
}
