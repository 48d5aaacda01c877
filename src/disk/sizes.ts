/** Sizes of a thin pool's parts, computed from the usable size of the pool (devicemapper.md §2.4). */
import { roundUp, sectors, SECTORS_PER_DATA_BLOCK, SECTORS_PER_META_BLOCK, type Sectors } from "../units";

/** The metadata volume, 512 MiB. */
const MDV_SECTORS = 1_048_576n;
/** All that dm-thin can address: 255 bitmap blocks of 2^14 - 64 entries. */
const MAX_META_BLOCKS = 255n * (2n ** 14n - 64n);
/** Mappings in a leaf of dm-thin's B-tree when the leaves are half full, as they are after sequential insertions. */
const MAPPINGS_PER_LEAF = 126n;
/** Room for snapshots: the tool's figure is for one set of mappings. */
const META_MULTIPLIER = 8n;
const MAX_META_SECTORS =
  ((MAX_META_BLOCKS * SECTORS_PER_META_BLOCK) / SECTORS_PER_DATA_BLOCK) * SECTORS_PER_DATA_BLOCK;

/** What `thin_metadata_size -b 1048576b -s SIZE -m LIMIT -n` (thin-provisioning-tools, Rust) prints, in sectors. */
export function thinMetadataSizeByTool(dataSize: Sectors, fsLimit: bigint): Sectors {
  const blocks = dataSize / SECTORS_PER_DATA_BLOCK;
  const leaves = (blocks + MAPPINGS_PER_LEAF - 1n) / MAPPINGS_PER_LEAF;
  const metaBlocks = 1n + leaves + fsLimit;
  return sectors((metaBlocks < MAX_META_BLOCKS ? metaBlocks : MAX_META_BLOCKS) * SECTORS_PER_META_BLOCK);
}

/** Size of the thin metadata device for a pool with `dataSize` usable sectors and up to `fsLimit` filesystems. */
export function thinMetaSize(dataSize: Sectors, fsLimit: bigint): Sectors {
  const size = roundUp(
    sectors(META_MULTIPLIER * thinMetadataSizeByTool(dataSize, fsLimit)),
    SECTORS_PER_DATA_BLOCK,
  );
  return sectors(size < MAX_META_SECTORS ? size : MAX_META_SECTORS);
}

/** What is left for thin data of `usable` sectors, beside thin metadata of `meta` sectors, its spare, and the MDV. */
export function roomForData(usable: Sectors, meta: Sectors): Sectors {
  const room = usable - MDV_SECTORS - 2n * meta;
  return sectors(room > 0n ? room : 0n);
}
