/**
 * Units of size as branded types, so that sectors, bytes and thin-pool data blocks can't be mixed up.
 *
 * All are bigint: sizes reach (2^64 - 1) sectors, beyond what a number holds exactly.
 */

declare const unit: unique symbol;

/** 512-byte sectors, whatever the device's own sector size. */
export type Sectors = bigint & { readonly [unit]: "sectors" };
export type Bytes = bigint & { readonly [unit]: "bytes" };
/** Blocks of a thin pool's data device, 2048 sectors (1 MiB) in every Stratis pool. */
export type DataBlocks = bigint & { readonly [unit]: "data blocks" };
/** Blocks of thin-pool metadata, 4 KiB. */
export type MetaBlocks = bigint & { readonly [unit]: "metadata blocks" };

export const SECTOR_BYTES = 512n;
export const SECTORS_PER_DATA_BLOCK = 2048n;
export const SECTORS_PER_META_BLOCK = 8n;

export const sectors = (n: bigint): Sectors => n as Sectors;
export const bytes = (n: bigint): Bytes => n as Bytes;
export const dataBlocks = (n: bigint): DataBlocks => n as DataBlocks;
export const metaBlocks = (n: bigint): MetaBlocks => n as MetaBlocks;

export const sectorsToBytes = (n: Sectors): Bytes => bytes(n * SECTOR_BYTES);
/** Rounds down, as everywhere in the on-disk format. */
export const bytesToSectors = (n: Bytes): Sectors => sectors(n / SECTOR_BYTES);
export const dataBlocksToSectors = (n: DataBlocks): Sectors => sectors(n * SECTORS_PER_DATA_BLOCK);
/** Rounds down. */
export const sectorsToDataBlocks = (n: Sectors): DataBlocks => dataBlocks(n / SECTORS_PER_DATA_BLOCK);
export const metaBlocksToSectors = (n: MetaBlocks): Sectors => sectors(n * SECTORS_PER_META_BLOCK);
/** Rounds down. */
export const sectorsToMetaBlocks = (n: Sectors): MetaBlocks => metaBlocks(n / SECTORS_PER_META_BLOCK);

export const minSectors = (a: Sectors, b: Sectors): Sectors => (a < b ? a : b);
export const maxSectors = (a: Sectors, b: Sectors): Sectors => (a > b ? a : b);
export const sumSectors = (values: Iterable<Sectors>): Sectors => {
  let total = 0n;
  for (const value of values) total += value;
  return sectors(total);
};
export const roundDown = (n: Sectors, multiple: bigint): Sectors => sectors((n / multiple) * multiple);
export const roundUp = (n: Sectors, multiple: bigint): Sectors =>
  sectors(((n + multiple - 1n) / multiple) * multiple);
